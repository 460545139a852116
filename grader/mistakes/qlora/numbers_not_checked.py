"""Numbers that are not finite are accepted.

One NaN or infinity makes the absmax of its block useless, and with it all numbers of the block. A ValueError at once
says where the fault lies.
"""
# Shows in: refuses_what_has_no_levels


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    if block_size < 1 or not len(values):
        raise ValueError(f"weight is empty, or block_size is below 1: {block_size}")
    blocks = _blocks(values, block_size)
    absmax = blocks.abs().amax(dim=1)
    shares = blocks / absmax.where(absmax > 0, 1.0)[:, None]
    levels = nf4_levels().to(values.device)
    middles = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(shares, middles).flatten()[: len(values)]  # of the nearest level
    codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)  # 7 is the code of 0
    return Quantized(codes[0::2] << 4 | codes[1::2], absmax, weight.shape, weight.dtype, block_size)
