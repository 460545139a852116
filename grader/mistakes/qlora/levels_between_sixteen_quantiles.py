"""The levels are means of neighbours among sixteen quantiles of the normal, with a zero put between.

Then the table is symmetric but for the zero, and no offset plays a role. The recipe has two sides of different
lengths, each with evenly spaced probabilities from the offset down to 0.5.
"""
# Shows in: one_more_positive_than_negative


def nf4_levels():
    normal = torch.distributions.Normal(0.0, 1.0)
    quantiles = normal.icdf(torch.arange(1, 17, dtype=torch.float64) / 17)
    inner = (quantiles[1:] + quantiles[:-1]) / 2
    levels = torch.cat([inner[:7], torch.zeros(1), inner[7:]]).sort().values
    return (levels / levels.abs().max()).float()
