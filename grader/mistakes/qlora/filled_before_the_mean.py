"""The last block is filled up with zeros before the mean is taken off.

The filling then becomes minus the mean, which is large, and makes the scale of the last block far too coarse. First
take off the mean, then fill up with zeros.
"""
# Shows in: each_block_has_its_scale


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values, block_size) - mean
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
