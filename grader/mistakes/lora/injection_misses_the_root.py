"""Layers that are attributes of the model itself are left out.

Their qualified name has no dot. name.rpartition(".") gives an empty parent for them, and get_submodule("") is the model.
"""
# Shows in: wraps_the_targets


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError("target_modules must be a list of names")
    wrappers = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, LoRALinear)) and name.rpartition(".")[0] not in wrappers
    }
    targets = {
        name: module for name, module in layers.items() if "." in name and name.rpartition(".")[2] in target_modules
    }
    if not targets:
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(layers)}")
    model.requires_grad_(False)
    wrapped = [name for name, module in targets.items() if isinstance(module, nn.Linear)]
    for name in wrapped:
        _replace(model, name, LoRALinear(targets[name], rank, alpha, dropout))
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped
