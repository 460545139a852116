"""Each number gets the level below it, not the nearest one.

That doubles the largest error and pulls all weights down. Compare with the middles between levels: bucketize(x,
(levels[1:] + levels[:-1]) / 2).
"""
# Shows in: each_number_gets_the_nearest_level


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    _check_numbers("weight", values, block_size)
    blocks = _blocks(values, block_size)
    absmax = blocks.abs().amax(dim=1)
    shares = blocks / absmax.where(absmax > 0, 1.0)[:, None]
    levels = nf4_levels().to(values.device)
    codes = (
        (torch.bucketize(shares, levels, right=True) - 1).clamp(0, 15).flatten()[: len(values)]
    )  # of the nearest level
    codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)  # 7 is the code of 0
    return Quantized(codes[0::2] << 4 | codes[1::2], absmax, weight.shape, weight.dtype, block_size)
