"""The constants become unsigned 8-bit numbers above the smallest one.

That is a sound format, but not this one: the mean is taken off, and the codes are signed, so that they lie on both
sides of it.
"""
# Shows in: codes_are_steps_from_the_mean


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    smallest = values.min()
    blocks = _blocks(values - smallest, block_size)
    scales = blocks.amax(dim=1) / 255
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.uint8), scales, smallest, block_size)
