"""double_dequantize gives float16.

The constants multiply all weights of their block, so their rounding is in each of them. The contract computes in
float32 and gives float32.
"""
# Shows in: codes_times_scales_plus_the_mean


def double_dequantize(q):
    return (q.codes.float() * q.scales.repeat_interleave(q.block_size)[: len(q.codes)] + q.mean).half()
