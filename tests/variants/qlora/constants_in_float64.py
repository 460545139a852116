"""The constants are computed in float64, block by block; the mean has one dimension, and what comes back is cut at 0."""


def double_quantize(absmax, *, block_size=256):
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}, and 1 is the least")
    if absmax.numel() == 0 or not absmax.isfinite().all():
        raise ValueError("absmax must hold numbers, and finite ones")
    values = absmax.detach().double().flatten()
    mean = values.mean(dim=0, keepdim=True)
    codes, scales = [], []
    for block in (values - mean.float().double()).split(block_size):
        step = block.abs().max() / 127
        codes.append((block / step).nan_to_num(0.0, 0.0, 0.0).round().clamp(-127, 127).char())
        scales.append(step.float())
    return DoubleQuantized(torch.cat(codes), torch.stack(scales), mean.float(), block_size)


def double_dequantize(q):
    parts = [codes.double() * scale.double() for codes, scale in zip(q.codes.split(q.block_size), q.scales)]
    return torch.cat(parts).add(q.mean.double()).clamp_min(0).float()
