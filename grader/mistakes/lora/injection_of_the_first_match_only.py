"""Only the first layer of each target name is wrapped.

A target stands for all layers of that name, in every block. A break or a dict by last name part loses the others.
"""
# Shows in: wraps_the_targets

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    named = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    first = {name.rpartition(".")[2]: name for name in reversed(names)}
    for name, module in named:
        if name in set(names) - set(first.values()):
            _replace(model, name, module)
    return [name for name in names if name in first.values()]
