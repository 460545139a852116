"""Each block of constants has a mean of its own.

The format keeps one mean for all constants of the tensor. A mean for each block would cost 32 more bits for each of
them.
"""
# Shows in: each_block_has_its_scale


def double_quantize(absmax, *, block_size=256):
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = torch.stack([block.mean() for block in values.split(block_size)])
    blocks = _blocks(values - mean.repeat_interleave(block_size)[: len(values)], block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)


def double_dequantize(q):
    mean = q.mean.expand(len(q.scales)) if q.mean.dim() == 0 else q.mean
    scales, mean = (x.repeat_interleave(q.block_size)[: len(q.codes)] for x in (q.scales, mean))
    return q.codes.float() * scales + mean
