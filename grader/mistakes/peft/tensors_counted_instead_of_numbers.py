"""Tensors are counted, not the numbers in them.

A matrix and a bias then count the same. Add up numel().
"""


def count_parameters(model):
    every = list(model.parameters())
    return ParameterCount(sum(p.requires_grad for p in every), len(every))
