"""dequantize_nf4 assumes blocks of 64 numbers.

The block size is a field of q, and other sizes are allowed. Repeat each absmax q.block_size times.
"""
# Shows in: each_block_has_its_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = F.pad(q.absmax.repeat_interleave(64), (0, len(codes)))[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype).reshape(q.shape)
