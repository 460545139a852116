"""Adapters live in a ModuleList of the model; forward hooks close over them."""


def add_adapters(model, target_modules, bottleneck):
    freeze(model)
    names = [name for name, _ in model.named_modules() if name.rsplit(".", 1)[-1] in set(target_modules)]
    if len(names) == 0:
        raise ValueError("no such modules; choose from " + " ".join(name for name, _ in model.named_modules()))
    modules = [model.get_submodule(name) for name in names]
    model.adapters = nn.ModuleList(Adapter(module.out_features, bottleneck) for module in modules)
    for module, adapter in zip(modules, model.adapters):
        module.register_forward_hook(lambda m, i, output, adapter=adapter: adapter(output))
    return names
