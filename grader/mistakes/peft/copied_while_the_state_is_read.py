"""The tensors of the state are copied one by one, each after its own test.

When a later one is unexpected or misshapen, those before it are loaded already. Test all of them first; a second loop copies.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name in own:
        if name not in state:
            raise ValueError(f"missing {name}")
    for name, tensor in state.items():
        if name not in own:
            raise ValueError(f"unexpected {name}")
        if tensor.shape != own[name].shape:
            raise ValueError(f"{name} has a wrong shape")
        own[name].copy_(tensor)
