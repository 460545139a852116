"""The targets are ignored: every linear layer gets an adapter.

Which modules are adapted is the caller's choice, and the cost follows from it. Keep to target_modules.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"nothing matches {target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    targets = modules
    for name, module in targets.items():
        module.adapter = Adapter(module.out_features, bottleneck)
        module.register_forward_hook(lambda layer, inputs, output: layer.adapter(output))
    return list(targets)
