"""dequantize_nf4 takes the low four bits of a byte for the first code.

The first code lies in the high four bits: q.codes >> 4 comes before q.codes & 15. Otherwise each pair of neighbours
comes back in the wrong order.
"""
# Shows in: codes_become_levels_times_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes & 15, q.codes >> 4], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype).reshape(q.shape)
