"""Only the direct children of the model are replaced.

named_children() does not look into blocks. Transformers nest their layers: walk with named_modules().
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    model.requires_grad_(False)
    names = []
    for name, module in list(model.named_children()):
        if name in target_modules and isinstance(module, nn.Linear):
            setattr(model, name, LoRALinear(module, rank, alpha, dropout))
            names.append(name)
    if not names:
        linears = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
        raise ValueError(f"no layer matches {target_modules}; there are {', '.join(linears)}")
    return names
