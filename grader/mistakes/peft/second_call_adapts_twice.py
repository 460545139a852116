"""A second call puts a second adapter behind a module that has one.

Calling again, with more targets, is common. A module that has an adapter gets no second one: look for the
first before you add one.
"""
# Shows in: a_second_call_adds_to_the_first


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules must be a list of names, got the string {target_modules!r}")
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"nothing matches target_modules={target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    added = []
    for name, module in targets.items():
        own = f"adapter_{len(list(module.children()))}"
        module.add_module(own, Adapter(module.out_features, bottleneck).to(module.weight))
        module.register_forward_hook(lambda layer, inputs, output, own=own: getattr(layer, own)(output))
        added.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return added
