"""The shapes are not compared.

copy_ broadcasts: one number fills a whole tensor without a word. Compare all shapes before the first copy.
"""


@torch.no_grad()
def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    if problems:
        raise ValueError("; ".join(problems))
    for name, parameter in own.items():
        parameter.copy_(state[name])
