"""The levels are those of FP4.

FP4 is the other 4-bit type of bitsandbytes: a sign, two bits of exponent and one of mantissa, and zero twice. NF4 has
quantiles of the standard normal.
"""
# Shows in: one_more_positive_than_negative


def nf4_levels():
    positive = torch.tensor([0.0, 0.00520833, 0.16666667, 0.25, 0.33333333, 0.5, 0.66666667, 1.0])
    return torch.cat([-positive.flip(0), positive])
