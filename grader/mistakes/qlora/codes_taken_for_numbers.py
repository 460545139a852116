"""A code is turned into a number by a formula, as if the levels were evenly spaced.

code / 7.5 - 1 is right for INT4 with even steps. In NF4 a code is an index into the table of levels.
"""
# Shows in: codes_become_levels_times_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = (codes / 7.5 - 1) * scale
    return values.to(q.dtype).reshape(q.shape)
