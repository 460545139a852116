"""freeze returns None.

The contract returns the model, so that a call can stand in a longer expression. requires_grad_ returns it by
itself.
"""


def freeze(model):
    for parameter in model.parameters():
        parameter.requires_grad = False
