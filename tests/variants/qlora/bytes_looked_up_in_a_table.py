"""Dequantising looks each byte up in a table of 256 pairs, and multiplies in float64."""


def dequantize_nf4(q):
    levels = nf4_levels().double()
    pairs = torch.cartesian_prod(levels, levels)
    values = torch.nn.functional.embedding(q.codes.int(), pairs).flatten()[: q.shape.numel()]
    block = torch.arange(len(values)) // q.block_size
    return (values * q.absmax.double()[block]).float().to(q.dtype).view(q.shape)
