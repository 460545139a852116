"""A target matches if any part of the qualified name is equal to it.

Then a container called q_proj takes all layers inside it. Only the last name part counts: it is the name of the layer itself.
"""
# Shows in: matches_the_whole_last_name_part


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError("target_modules must be a list of names")
    wrappers = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, LoRALinear)) and name.rpartition(".")[0] not in wrappers
    }
    targets = {name: module for name, module in layers.items() if set(name.split(".")) & set(target_modules)}
    if not targets:
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(layers)}")
    model.requires_grad_(False)
    wrapped = [name for name, module in targets.items() if isinstance(module, nn.Linear)]
    for name in wrapped:
        _replace(model, name, LoRALinear(targets[name], rank, alpha, dropout))
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped
