"""An empty weight is accepted.

It has no absmax and nothing to quantise, so it is a mistake of the caller. The contract raises a ValueError.
"""
# Shows in: refuses_what_has_no_levels


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    if block_size < 1 or not values.isfinite().all():
        raise ValueError(f"weight must be finite, and block_size at least 1, got {block_size}")
    blocks = _blocks(values, block_size)
    absmax = blocks.abs().amax(dim=1)
    shares = blocks / absmax.where(absmax > 0, 1.0)[:, None]
    levels = nf4_levels().to(values.device)
    middles = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(shares, middles).flatten()[: len(values)]  # of the nearest level
    codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)  # 7 is the code of 0
    return Quantized(codes[0::2] << 4 | codes[1::2], absmax, weight.shape, weight.dtype, block_size)
