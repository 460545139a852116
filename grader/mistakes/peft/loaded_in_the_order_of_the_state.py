"""The tensors are copied in their order, not by their names.

A file may hold them in another order, for example sorted. Copy state[name] into the parameter of that name.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for parameter, tensor in zip(own.values(), state.values()):
        parameter.copy_(tensor)
