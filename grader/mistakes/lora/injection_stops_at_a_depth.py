"""The walk through the model looks only two levels deep.

Real layers lie deeper: model.layers.0.self_attn.q_proj is five levels down. named_modules(), or a recursion, reaches any depth.
"""
# Shows in: wraps_the_targets


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError("target_modules must be a list of names")
    places = [(model, "", name, child) for name, child in model.named_children()]
    for outer, block in model.named_children():
        if not isinstance(block, (nn.Linear, LoRALinear)):
            places += [(block, f"{outer}.", name, child) for name, child in block.named_children()]
    layers = [place for place in places if isinstance(place[3], (nn.Linear, LoRALinear))]
    found = [place for place in layers if place[2] in target_modules]
    if not found:
        names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(names)}")
    model.requires_grad_(False)
    wrapped = []
    for parent, prefix, name, child in found:
        if isinstance(child, nn.Linear):
            setattr(parent, name, LoRALinear(child, rank, alpha, dropout))
            wrapped.append(prefix + name)
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped
