"""The row of constants is repeated instead of each constant.

repeat gives a b a b, repeat_interleave gives a a b b. A block is block_size numbers side by side, so the second one
is needed.
"""
# Shows in: each_block_has_its_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype).reshape(q.shape)
