"""The nearest level is found by all distances, block by block; the absmax of a block of zeros is a tiny number."""


def quantize_nf4(weight, *, block_size=64):
    if not torch.is_floating_point(weight):
        raise TypeError(f"weight: a floating dtype is needed, not {weight.dtype}")
    if block_size < 1 or weight.numel() == 0 or not torch.isfinite(weight).all():
        raise ValueError(f"weight must hold finite numbers, and block_size must be at least 1, got {block_size}")
    levels, found, largest = nf4_levels(), [], []
    for block in weight.detach().flatten().split(block_size):
        block = block.to(torch.float32)
        largest.append(block.abs().max().clamp_min(1e-38))
        found.append(torch.cdist((block / largest[-1])[:, None], levels[:, None]).argmin(dim=1))
    codes = torch.cat(found)
    if len(codes) % 2:
        codes = torch.cat([codes, codes.new_tensor([7])])
    packed = (codes.view(-1, 2) * codes.new_tensor([16, 1])).sum(dim=1)
    return Quantized(packed.to(torch.uint8), torch.stack(largest), weight.shape, weight.dtype, block_size)
