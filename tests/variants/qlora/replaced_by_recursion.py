"""quantize_model walks down by recursion, remembers what it has replaced, and changes the dicts of modules."""


def quantize_model(model, skip=("lm_head",)):
    if not isinstance(skip, (list, tuple, set)):
        raise TypeError(f"skip must be a list of names, got {type(skip).__name__}")
    owners = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(module)
    new, names, seen = {}, [], set()

    def walk(module, path):
        if module in seen:
            return
        seen.add(module)
        for key, child in list(module._modules.items()):
            if child is None:
                continue
            if not isinstance(child, nn.Linear):
                walk(child, path + [key])
            elif not isinstance(module, LoRALinear) and key not in skip and len(owners[id(child.weight)]) == 1:
                if child not in new:
                    new[child] = NF4Linear(child).train(child.training)
                    names.append(".".join(path + [key]))
                module._modules[key] = new[child]

    before = sum(tensor.numel() * tensor.element_size() for tensor in [*model.parameters(), *model.buffers()])
    walk(model, [])
    if not new:
        raise ValueError("model: there is no linear layer to quantise")
    after = sum(tensor.numel() * tensor.element_size() for tensor in [*model.parameters(), *model.buffers()])
    return dict(layers=tuple(names), bytes_before=before, bytes_after=after, ratio=after / before)
