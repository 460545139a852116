"""The check comes in the middle of the copying.

When the error is raised, some tensors have been loaded already, and the model is neither old nor new. Check
everything, then copy.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    for name, parameter in own.items():
        if name in state and state[name].shape == parameter.shape:
            parameter.copy_(state[name])
    if problems:
        raise ValueError("; ".join(problems))
