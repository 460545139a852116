"""The levels are those of a 4-bit integer: -8/8 to 7/8.

That is INT4, which spends as many codes on rare large weights as on the many small ones. NF4 has quantiles of the
standard normal.
"""
# Shows in: levels_are_quantiles_of_the_normal


def nf4_levels():
    return torch.arange(-8, 8) / 8
