"""Only the tensors that the model holds itself are frozen, and nothing in its submodules.

parameters(recurse=False) does not go into submodules, where nearly everything lies. Leave recurse=False out.
"""


def freeze(model):
    for parameter in model.parameters(recurse=False):
        parameter.requires_grad = False
    return model
