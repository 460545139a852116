"""Each code takes a whole byte.

Then four-bit quantisation takes eight bits a number. Two codes share a byte: first << 4 | second.
"""
# Shows in: each_number_gets_the_nearest_level


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    _check_numbers("weight", values, block_size)
    blocks = _blocks(values, block_size)
    absmax = blocks.abs().amax(dim=1)
    shares = blocks / absmax.where(absmax > 0, 1.0)[:, None]
    levels = nf4_levels().to(values.device)
    middles = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(shares, middles).flatten()[: len(values)]  # of the nearest level
    codes = codes.to(torch.uint8)
    return Quantized(codes, absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    codes = q.codes[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype).reshape(q.shape)
