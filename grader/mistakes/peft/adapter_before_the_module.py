"""The adapter changes the module's input instead of its output.

An adapter follows its module: it works on what the module returns, and has the width of that.
"""
# Shows in: adapters_act_on_the_output


def add_adapters(model, target_modules, bottleneck):
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"nothing matches {target_modules}; the model has {', '.join(modules)}")
    freeze(model)
    for name, module in targets.items():
        module.adapter = Adapter(module.in_features, bottleneck)
        module.register_forward_pre_hook(lambda layer, inputs: (layer.adapter(inputs[0]),))
    return list(targets)
