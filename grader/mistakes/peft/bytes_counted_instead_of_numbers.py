"""Bytes are counted, not numbers.

A number in 16 bits is one parameter, as one in 32 is. Add up numel() without element_size().
"""


def count_parameters(model):
    sizes = [(p.numel() * p.element_size(), p.requires_grad) for p in model.parameters()]
    return ParameterCount(sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes))
