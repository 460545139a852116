"""Without block_size a scale stands for 64 constants.

64 is the block size of the weights. The constants come in blocks of 256: 32 / (64 · 256) bits for each weight.
"""
# Shows in: each_block_has_its_scale


def double_quantize(absmax, *, block_size=64):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)
