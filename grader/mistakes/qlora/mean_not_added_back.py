"""double_dequantize forgets the mean.

What was taken off must be added again: codes · scale + mean. Without it half of the constants are negative.
"""
# Shows in: codes_times_scales_plus_the_mean
# Leaves out: the mean


def double_dequantize(q):
    return q.codes.float() * q.scales.repeat_interleave(q.block_size)[: len(q.codes)]
