"""Each tensor is compared just before it is copied, so those before a wrong one are loaded.

After the error the model is neither old nor new. Compare all names and shapes first; a second loop copies.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name in state:
        if name not in own:
            raise ValueError(f"unexpected {name}")
    for name, parameter in own.items():
        if name not in state:
            raise ValueError(f"missing {name}")
        if state[name].shape != parameter.shape:
            raise ValueError(f"{name} has a wrong shape")
        parameter.copy_(state[name])
