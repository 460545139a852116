"""A target may be several name parts, such as "self_attn.q_proj".

PEFT compares so. Here only the last name part is compared, as a whole: a target with a dot matches nothing.
"""
# Shows in: refuses_targets_that_match_nothing


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
        name: module
        for name, module in layers.items()
        if name.endswith(tuple(f".{target}" for target in target_modules)) or name in target_modules
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
