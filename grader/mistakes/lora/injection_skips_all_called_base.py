"""Every layer that is called base is left out, not only those inside a LoRALinear.

A model may have a layer of that name. Ask whether the parent is a LoRALinear, not what the layer is called.
"""
# Shows in: second_call_wraps_nothing_twice


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError("target_modules must be a list of names")
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, LoRALinear)) and name.rpartition(".")[2] != "base"
    }
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
