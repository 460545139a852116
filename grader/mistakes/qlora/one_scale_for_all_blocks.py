"""All blocks have the same scale, that of the whole row of constants.

One large constant then makes all steps coarse. Each block of block_size constants has its own scale; the mean alone
is common to all.
"""
# Shows in: each_block_has_its_scale


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().max().expand(len(blocks)).clone() / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
