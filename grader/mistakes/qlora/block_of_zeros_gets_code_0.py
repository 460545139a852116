"""A block of zeros is divided by its absmax of 0, and gets the code 0.

0 / 0 is NaN, and NaN is greater than nothing, so no middle lies below it. Divide by 1 there: a zero has the code 7.
"""
# Shows in: a_block_of_zeros_has_codes_7


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    _check_numbers("weight", values, block_size)
    blocks = _blocks(values, block_size)
    absmax = blocks.abs().amax(dim=1)
    shares = blocks / absmax[:, None]
    levels = nf4_levels().to(values.device)
    middles = (levels[1:] + levels[:-1]) / 2
    codes = (shares[..., None] > middles).sum(dim=-1).flatten()[: len(values)]  # of the nearest level
    codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)  # 7 is the code of 0
    return Quantized(codes[0::2] << 4 | codes[1::2], absmax, weight.shape, weight.dtype, block_size)
