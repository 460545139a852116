"""The codes of the zeros that fill the last block of constants are kept.

The number of codes is the only place where the number of constants is kept. Cut the codes to it.
"""
# Shows in: each_block_has_its_scale


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten().to(torch.int8), scales, mean, block_size)
