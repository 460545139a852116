"""The adapter has the width of the module's input.

It gets the module's output, and fails where the two widths differ. Use out_features.
"""
# Shows in: adapters_have_the_width_of_the_output


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
        if not hasattr(module, "adapter"):
            module.adapter = Adapter(module.in_features, bottleneck).to(module.weight)
            module.register_forward_hook(lambda layer, inputs, output: layer.adapter(output))
            added.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return added
