"""There are eight levels on each side and no zero.

Zeros are frequent, in padding and in pruned weights, and must stay exact. So one of the sixteen codes is for zero,
and the negative side has only seven.
"""
# Shows in: one_more_positive_than_negative


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, positive]).sort().values
    return (levels / levels.abs().max()).float()
