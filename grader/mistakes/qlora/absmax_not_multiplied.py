"""The levels come back without absmax.

A level lies in [-1, 1]. Multiplied by the absmax of the block it is the weight again.
"""
# Shows in: codes_become_levels_times_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()]
    return values.to(q.dtype).reshape(q.shape)
