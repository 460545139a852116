"""A state that does not fit is a KeyError or a RuntimeError.

The contract says ValueError, whatever is wrong with the state, so that a caller can catch one thing.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise RuntimeError("; ".join(problems))
    for name, parameter in own.items():
        parameter.copy_(state[name])
