"""The tensor comes back in float32, whatever q.dtype says.

Computing in float32 is right, but the last step converts to q.dtype.
"""
# Shows in: shape_and_dtype_come_back


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.reshape(q.shape)
