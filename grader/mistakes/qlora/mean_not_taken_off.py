"""The constants are quantised without taking off their mean.

They are all positive, so the negative half of the 8-bit codes is never used, and each step is about twice as coarse
as it could be.
"""
# Shows in: codes_are_steps_from_the_mean


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = torch.zeros(())  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
