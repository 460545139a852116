"""The tensor comes back flat.

The codes are one row; q.shape tells the shape of the tensor. End with reshape(q.shape).
"""
# Shows in: shape_and_dtype_come_back


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype)
