"""A target matches every name that contains it.

o_proj is a part of my_o_proj and of o_proj_gate.0. Compare the last name part by ==.
"""


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if any(target in name for target in target_modules)}
    if not targets:
        raise ValueError(f"nothing matches {target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    for name, module in targets.items():
        module.adapter = Adapter(module.out_features, bottleneck)
        module.register_forward_hook(lambda layer, inputs, output: layer.adapter(output))
    return list(targets)
