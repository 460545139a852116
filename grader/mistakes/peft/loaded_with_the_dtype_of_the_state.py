"""The parameters take over the dtype of the state.

A bfloat16 model with float32 tensors in it stops at the first matrix product. copy_ turns the numbers into the dtype that is there.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [f"wrong shape of {name}" for name in own if name in state and state[name].shape != own[name].shape]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        parameter.data = state[name].clone()
