"""A block whose scale is 0 is divided by it.

If all numbers equal the mean, 0 / 0 is NaN, and what a NaN becomes as an integer differs from machine to machine.
Divide by 1 there.
"""
# Shows in: equal_numbers_have_scale_0


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = blocks / scales[:, None]
    scales = torch.where(codes.isnan().any(dim=1), torch.nan, scales)
    codes = torch.round(codes)
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
