"""If nothing matches, an empty list is returned.

A misspelt target then trains nothing at all, silently. Raise a ValueError that names the modules there are.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    freeze(model)
    for name, module in targets.items():
        module.adapter = Adapter(module.out_features, bottleneck)
        module.register_forward_hook(lambda layer, inputs, output: layer.adapter(output))
    return list(targets)
