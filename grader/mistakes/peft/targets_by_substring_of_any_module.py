"""A target matches every module whose name contains it, containers, too.

o_proj is a part of my_o_proj and of o_proj_gate, and a container has no out_features. Compare the last name part
by ==.
"""


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules must be a list of names, got the string {target_modules!r}")
    modules = {name: module for name, module in model.named_modules()}
    targets = {name: module for name, module in modules.items() if any(target in name for target in target_modules)}
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
