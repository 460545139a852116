"""Eight levels lie below zero and seven above.

It is the other way round: linspace(offset, 0.5, 9)[:-1] gives the eight positive levels. A code means another level
otherwise, and the code of zero is 8 instead of 7.
"""
# Shows in: one_more_positive_than_negative


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels / levels.abs().max()).float()
