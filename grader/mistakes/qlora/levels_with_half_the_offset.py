"""The offset is 1 - 1/32 alone.

It is the mean of the two: 1 - (1/30 + 1/32)/2 = 0.9677083. With another one all levels but the ends and zero move.
"""
# Shows in: levels_are_quantiles_of_the_normal


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - 1 / 32
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels / levels.abs().max()).float()
