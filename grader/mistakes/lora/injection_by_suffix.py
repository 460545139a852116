"""A target matches every name that ends in its text.

"my_q_proj".endswith("q_proj") is true. Split at the last dot and compare the last part as a whole.
"""
# Shows in: matches_the_whole_last_name_part


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, LoRALinear)) and not name.endswith(".base")
    }
    targets = {n: m for n, m in layers.items() if n.endswith(tuple(target_modules))}
    if not targets:
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(layers)}")
    model.requires_grad_(False)
    wrapped = [name for name, module in targets.items() if isinstance(module, nn.Linear)]
    for name in wrapped:
        _replace(model, name, LoRALinear(targets[name], rank, alpha, dropout))
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped
