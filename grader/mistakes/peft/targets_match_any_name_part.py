"""A target matches every part of the qualified name.

Then a module that lies inside a target, or hangs on one, gets an adapter as well. Only the last part counts.
"""
# Shows in: targets_match_by_their_last_name_part


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules must be a list of names, got the string {target_modules!r}")
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if set(target_modules) & set(name.split("."))}
    if not targets:
        raise ValueError(f"nothing matches target_modules={target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    added = []
    for name, module in targets.items():
        if not hasattr(module, "adapter"):
            module.adapter = Adapter(module.out_features, bottleneck).to(module.weight)
            module.register_forward_hook(lambda layer, inputs, output: layer.adapter(output))
            added.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return added
