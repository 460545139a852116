"""The adapters are kept by the hooks alone and are no part of the model.

Then model.parameters(), state_dict() and to() do not find them: no optimizer trains them, no file holds them.
Make each one a submodule: module.adapter = adapter.
"""
# Shows in: only_the_adapters_train


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
        if not module._forward_hooks:
            adapter = Adapter(module.out_features, bottleneck).to(module.weight)
            module.register_forward_hook(lambda layer, inputs, output, adapter=adapter: adapter(output))
            added.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return added
