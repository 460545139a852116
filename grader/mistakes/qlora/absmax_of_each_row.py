"""Each row of the matrix has one absmax.

That is row-wise quantisation. Here blocks of block_size numbers are cut from the flat tensor, across rows, and each
has its own absmax.
"""
# Shows in: blocks_run_in_row_major_order


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    _check_numbers("weight", weight.detach().float(), block_size)
    rows = weight.detach().float().reshape(-1, weight.shape[-1] if weight.dim() > 1 else 1)
    if weight.dim() < 2:
        rows = _blocks(rows.flatten(), block_size)
    absmax = rows.abs().amax(dim=1)
    levels = nf4_levels()
    shares = rows / absmax.where(absmax > 0, 1.0)[:, None]
    codes = torch.bucketize(shares, (levels[1:] + levels[:-1]) / 2).flatten()[: weight.numel()]
    codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)
    return Quantized(codes[0::2] << 4 | codes[1::2], absmax, weight.shape, weight.dtype, block_size)
