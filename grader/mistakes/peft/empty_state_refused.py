"""An empty state is refused, even where nothing trains.

There it is just what fits: no name is missing and none is unexpected. Compare the names, and nothing else.
"""


@torch.no_grad()
def load_adapter(model, state):
    if not state:
        raise ValueError("state is empty, so everything is missing: " + ", ".join(dict(model.named_parameters())))
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        parameter.copy_(state[name])
