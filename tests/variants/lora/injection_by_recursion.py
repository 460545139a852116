"""inject_lora and merge_lora walk through children by recursion."""


def _walk(parent, prefix=""):
    for attribute, child in parent.named_children():
        name = prefix + attribute
        yield parent, attribute, name, child
        if not isinstance(child, LoRALinear):
            yield from _walk(child, name + ".")


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, (str, bytes)):
        raise TypeError("target_modules: give a list of names, not one name")
    wanted = set(target_modules)
    places = [place for place in _walk(model) if isinstance(place[3], (nn.Linear, LoRALinear))]
    found = [place for place in places if place[1] in wanted]
    if not found:
        raise ValueError("target_modules match none of: " + ", ".join(place[2] for place in places))
    for parameter in model.parameters():
        parameter.requires_grad = False
    names = []
    for parent, attribute, name, child in found:
        if not isinstance(child, LoRALinear):
            setattr(parent, attribute, LoRALinear(child, rank, alpha, dropout=dropout))
            names.append(name)
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.lora_A.requires_grad = module.lora_B.requires_grad = True
    return names


def merge_lora(model):
    for parent, attribute, _, child in list(_walk(model)):
        if isinstance(child, LoRALinear):
            child.unmerge()
            plain = nn.Linear(child.base.in_features, child.base.out_features, child.base.bias is not None)
            plain = plain.to(child.base.weight)
            with torch.no_grad():
                plain.weight.copy_(child.base.weight + child.delta_weight())
                if child.base.bias is not None:
                    plain.bias.copy_(child.base.bias)
            setattr(parent, attribute, plain)
    return model
