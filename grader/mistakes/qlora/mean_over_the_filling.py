"""The zeros that fill the last block count in the mean.

Take the mean of the constants themselves, before the last block is filled up. Otherwise it is too small, and more so
the shorter the last block is.
"""
# Shows in: each_block_has_its_scale


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = _blocks(values, block_size).mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
