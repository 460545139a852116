"""A second call wraps the base inside a LoRALinear once more, or the LoRALinear itself.

Skip what is wrapped already, and do not walk into it.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    again = [
        name
        for name, module in model.named_modules()
        if isinstance(module, LoRALinear) and name.rpartition(".")[2] in target_modules
    ]
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    for name in again:
        _replace(model, f"{name}.base", LoRALinear(model.get_submodule(name).base, rank, alpha, dropout))
    return names + [f"{name}.base" for name in again]
