"""The levels are plain quantiles, not divided by the largest.

A block is divided by its absmax, so its numbers fill [-1, 1]. The levels must do so as well, or the outer ones are
never used.
"""
# Shows in: sixteen_levels_from_minus_one_to_one


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels).float()
