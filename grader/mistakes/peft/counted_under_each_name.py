"""A shared tensor is counted under each of its names.

named_parameters(remove_duplicate=False) lists it again for every module that holds it. Without this argument each tensor comes once.
"""


def count_parameters(model):
    every = [p for _, p in model.named_parameters(remove_duplicate=False)]
    return ParameterCount(sum(p.numel() for p in every if p.requires_grad), sum(p.numel() for p in every))
