"""The last entry of each linspace is kept, so zero appears three times.

linspace(offset, 0.5, 9) ends at 0.5, whose quantile is 0. Drop it on both sides by [:-1], and add one zero: sixteen
levels, not eighteen.
"""
# Shows in: sixteen_levels_from_minus_one_to_one


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64))
    negative = -normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64))
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels / levels.abs().max()).float()
