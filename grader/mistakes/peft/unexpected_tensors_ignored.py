"""A tensor that has no place in the model is ignored.

It is a sign that the adapter was made for another model or other targets. Raise a ValueError that names it.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        parameter.copy_(state[name])
