"""If one tensor of a module trains, all of its tensors are saved.

In BitFit the bias of a layer trains and its large weight does not. Ask requires_grad of each parameter.
"""


def adapter_state_dict(model):
    state = {}
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if any(p.requires_grad for p in own.values()):
            state |= {f"{prefix}.{name}": p.detach() for name, p in own.items()}
    return state
