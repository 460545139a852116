"""The names are compared first, but the shapes only while copying.

When a shape is wrong, the tensors before it are loaded already. Compare the shapes, too, before the first copy.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name in own.keys() ^ state.keys():
        raise ValueError(f"missing or unexpected: {name}")
    for name, parameter in own.items():
        if parameter.shape != state[name].shape:
            raise ValueError(f"{name} has a wrong shape")
        parameter.copy_(state[name])
