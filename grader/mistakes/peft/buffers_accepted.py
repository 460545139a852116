"""A tensor for a frozen parameter or for a buffer is accepted, since the model has that name.

state_dict() holds the frozen model and its buffers, too. Compare with the names of what trains.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in model.state_dict()]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        parameter.copy_(state[name])
