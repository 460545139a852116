"""A step is max |x| / 128.

Signed 8-bit integers reach from -128 to 127. With 128 steps the largest number would get the code 128, which does not
exist. Divide by 127.
"""
# Shows in: codes_are_steps_from_the_mean


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 128
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None]).clamp(-128, 127)
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
