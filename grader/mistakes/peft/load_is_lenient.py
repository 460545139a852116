"""Missing and unexpected tensors are ignored.

A misspelt name then loads nothing, and the model answers as untrained, silently. Compare the names first.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = []
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        if name in state:
            parameter.copy_(state[name])
