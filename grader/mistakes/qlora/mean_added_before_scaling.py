"""The mean is added to the codes before they are multiplied by the scale.

The mean is in units of the constants, a code is a number of steps. First codes · scale, then the mean.
"""
# Shows in: codes_times_scales_plus_the_mean


def double_dequantize(q):
    return (q.codes.float() + q.mean) * q.scales.repeat_interleave(q.block_size)[: len(q.codes)]
