"""double_quantize accepts whatever it is given.

An empty tensor has the mean NaN, and one infinite constant spoils all others through the mean. Refuse both, and a
block size below 1, with a ValueError.
"""
# Shows in: refuses_constants_that_are_not_finite


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
