"""Both functions of NF4 compute with numpy, and a number in the middle of two levels gets the upper one."""

import numpy


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().numpy().ravel()
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    if not values.size or not numpy.isfinite(values).all():
        raise ValueError("weight must hold numbers, and finite ones")
    starts = numpy.arange(0, values.size, block_size)
    absmax = numpy.maximum.reduceat(numpy.abs(values), starts)
    repeated = numpy.repeat(absmax, block_size)[: values.size]
    shares = numpy.divide(values, repeated, out=numpy.zeros_like(values), where=repeated > 0)
    levels = nf4_levels().numpy()
    codes = numpy.searchsorted((levels[1:] + levels[:-1]) / 2, shares, side="right").astype(numpy.uint8)
    codes = numpy.append(codes, numpy.full(codes.size % 2, 7, numpy.uint8)).reshape(-1, 2)
    packed = torch.from_numpy(codes[:, 0] * 16 + codes[:, 1])
    return Quantized(packed, torch.from_numpy(absmax), weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    count = int(numpy.prod(q.shape))
    codes = numpy.array([(byte // 16, byte % 16) for byte in q.codes.tolist()]).reshape(-1)[:count]
    values = nf4_levels().numpy()[codes] * numpy.repeat(q.absmax.numpy(), q.block_size)[:count]
    return torch.from_numpy(values).view(q.shape).to(q.dtype)
