"""The adapter is added to the module, but the output does not go through it.

It is in the count of parameters, but changes nothing and gets no gradient. A forward hook must return the new
output; a wrapper must call both.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"nothing matches {target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    for name, module in targets.items():
        module.adapter = Adapter(module.out_features, bottleneck)
    return list(targets)
