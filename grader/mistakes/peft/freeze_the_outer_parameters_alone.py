"""Only the parameters that the model itself owns are frozen, not those of its submodules.

parameters(recurse=False) and a loop over one level leave nearly everything trainable. model.parameters()
walks through all levels.
"""


def freeze(model):
    for parameter in model.parameters(recurse=False):
        parameter.requires_grad_(False)
    for child in model.children():
        for parameter in child.parameters(recurse=False):
            parameter.requires_grad_(False)
    return model
