"""The returned names are the last parts, not the qualified names.

o_proj, o_proj says nothing of where. Return blocks.0.o_proj and blocks.1.o_proj.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"nothing matches {target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    for name, module in targets.items():
        module.adapter = Adapter(module.out_features, bottleneck)
        module.register_forward_hook(lambda layer, inputs, output: layer.adapter(output))
    return [name.rpartition(".")[2] for name in targets]
