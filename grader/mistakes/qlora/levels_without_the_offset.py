"""The quantiles start at a probability of 0.99, not at the offset.

The quantile at 1 is infinite, so a start below 1 is needed, but which one decides about all levels. It is 1 - (1/30 +
1/32)/2.
"""
# Shows in: levels_are_quantiles_of_the_normal


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 0.99
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels / levels.abs().max()).float()
