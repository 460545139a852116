"""The numbers pass through float16, whatever dtype is asked for.

Libraries expand to float16 because their matrix products want it. Here q.dtype says what comes back, and float32 must
not be rounded on the way.
"""
# Shows in: codes_become_levels_times_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.half().to(q.dtype).reshape(q.shape)
