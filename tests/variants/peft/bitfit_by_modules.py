"""BitFit walks over modules and their own parameters; freezing is undone for what was chosen; the names are a tuple."""


def freeze(model):
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model


def _own(model):
    for path, module in model.named_modules():
        for last, parameter in module.named_parameters(recurse=False):
            yield path, last, parameter


def apply_bitfit(model, also=()):
    if not isinstance(also, (list, tuple, set, frozenset)):
        raise TypeError(f"also must be a list or a tuple, not {type(also)}")
    if all(last != "bias" for _, last, _ in _own(model)):
        raise ValueError("model: nothing in it is called bias, so there is nothing to train")
    freeze(model)
    chosen = {}
    for path, last, parameter in _own(model):
        name = ".".join(filter(None, [path, last]))
        if last == "bias" or sum(name.count(part) for part in also):
            chosen[name] = parameter
    for parameter in chosen.values():
        parameter.requires_grad = True
    return tuple(chosen)
