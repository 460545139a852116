"""A base inside a LoRALinear counts as a layer of the model, so a target "base" wraps it again.

The update then has an update of its own. What lies inside a LoRALinear is no target, whatever target_modules says.
"""
# Shows in: second_call_wraps_nothing_twice


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError("target_modules must be a list of names")
    layers = {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, LoRALinear))}
    targets = {name: module for name, module in layers.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(layers)}")
    model.requires_grad_(False)
    wrapped = [name for name, module in targets.items() if isinstance(module, nn.Linear)]
    for name in wrapped:
        _replace(model, name, LoRALinear(targets[name], rank, alpha, dropout))
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped
