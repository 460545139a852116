"""The code that fills the last byte is taken for a number.

With an odd count the codes are one more than the numbers. Cut them to math.prod(q.shape).
"""
# Shows in: each_block_has_its_absmax


def dequantize_nf4(q):
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    scale = F.pad(scale, (0, len(codes) - len(scale)))
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype).reshape(q.shape)
