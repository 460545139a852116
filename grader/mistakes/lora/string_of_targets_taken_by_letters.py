"""A string as target_modules is taken apart into its letters.

set("q_proj") is a set of letters, and no layer has such a name, so the error speaks of a missing match. Say at once that a list
is wanted: a TypeError.
"""
# Shows in: refuses_targets_that_match_nothing


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    wrappers = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, LoRALinear)) and name.rpartition(".")[0] not in wrappers
    }
    targets = {name: module for name, module in layers.items() if name.rpartition(".")[2] in set(target_modules)}
    if not targets:
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(layers)}")
    model.requires_grad_(False)
    wrapped = [name for name, module in targets.items() if isinstance(module, nn.Linear)]
    for name in wrapped:
        _replace(model, name, LoRALinear(targets[name], rank, alpha, dropout))
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped
