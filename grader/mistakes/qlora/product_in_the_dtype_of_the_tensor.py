"""Level and absmax are multiplied in the dtype of the tensor.

In half precision both factors are rounded, and then the product again. Multiply in float32 and convert the result
once.
"""
# Shows in: products_are_rounded_once


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(q.dtype)[codes.long()] * scale.to(q.dtype)
    return values.to(q.dtype).reshape(q.shape)
