"""The sixteen levels are evenly spaced from -1 to 1.

Weights are about normal, so most lie near zero, where even steps are too coarse. And linspace(-1, 1, 16) holds no
zero.
"""
# Shows in: levels_are_quantiles_of_the_normal


def nf4_levels():
    return torch.linspace(-1, 1, 16)
