"""Each block is padded to whole bytes by itself.

With an odd block size every block then wastes half a byte, and all codes behind it move. The codes run on across
blocks; padding comes once, at the very end.
"""
# Shows in: codes_run_on_across_odd_blocks


def quantize_nf4(weight, *, block_size=64):
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    _check_numbers("weight", values, block_size)
    levels = nf4_levels()
    packed, absmax = [], []
    for block in values.split(block_size):
        largest = block.abs().max()
        codes = torch.bucketize(block / largest.where(largest > 0, 1.0), (levels[1:] + levels[:-1]) / 2)
        codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)
        packed.append(codes[0::2] << 4 | codes[1::2])
        absmax.append(largest)
    return Quantized(torch.cat(packed), torch.stack(absmax), weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    count, place, parts = math.prod(q.shape), 0, []
    for start, largest in zip(range(0, count, q.block_size), q.absmax):
        length = min(q.block_size, count - start)
        held = q.codes[place : place + (length + 1) // 2]
        codes = torch.stack([held >> 4, held & 15], dim=1).flatten()[:length]
        parts.append(nf4_levels()[codes.long()] * largest)
        place += len(held)
    return torch.cat(parts).to(q.dtype).reshape(q.shape)
