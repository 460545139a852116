"""The row of scales is repeated instead of each scale.

repeat gives a b a b, repeat_interleave gives a a b b. A block is block_size constants side by side.
"""
# Shows in: codes_times_scales_plus_the_mean


def double_dequantize(q):
    return q.codes.float() * q.scales.repeat(q.block_size)[: len(q.codes)] + q.mean
