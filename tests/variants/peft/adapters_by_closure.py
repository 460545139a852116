"""Adapters live in a ModuleDict of the model by their module's name; forward hooks look them up there. Modules that are no linear layer have adapters, too."""


def add_adapters(model, target_modules, bottleneck):
    if not isinstance(target_modules, (list, tuple, set)):
        raise TypeError(f"expected a list as target_modules, got {type(target_modules)}")
    freeze(model)
    store = getattr(model, "adapters", nn.ModuleDict())
    names = [
        name
        for name, _ in model.named_modules()
        if name.rsplit(".", 1)[-1] in set(target_modules) and not name.startswith("adapters.")
    ]
    if len(names) == 0:
        raise ValueError("no such modules; choose from " + " ".join(name for name, _ in model.named_modules()))
    model.adapters = store
    added = [name for name in names if name.replace(".", "/") not in store]
    for name in added:
        module, key = model.get_submodule(name), name.replace(".", "/")
        store[key] = Adapter(module.out_features, bottleneck)
        module.register_forward_hook(lambda m, i, output, key=key: store[key](output))
    store.requires_grad_(True)
    return set(added)
