"""A tensor that is missing in the state is ignored.

That part of the adapter stays at its random start. A trainable tensor that the state lacks is a ValueError.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = []
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        if name in state:
            parameter.copy_(state[name])
