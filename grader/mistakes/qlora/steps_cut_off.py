"""The steps are cut off instead of rounded.

to(torch.int8) drops the decimals, so the error is up to a whole step instead of half a step, and always towards the
mean. Use torch.round first.
"""
# Shows in: codes_are_steps_from_the_mean


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = blocks / scales.where(scales > 0, 1.0)[:, None]
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
