"""Each target is put into an nn.Sequential with its adapter."""


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError("target_modules: a list is needed, a str was given")
    found = [(name, module) for name, module in model.named_modules() if name.split(".")[-1] in target_modules]
    if not found:
        known = [name for name, _ in model.named_modules() if name]
        raise ValueError(f"target_modules={target_modules} match nothing in {known}")
    found = [(name, module) for name, module in found if not isinstance(module, nn.Sequential)]
    for parameter in model.parameters():
        parameter.requires_grad = False
    for name, module in reversed(found):
        parent = model.get_submodule(".".join(name.split(".")[:-1]))
        setattr(parent, name.split(".")[-1], nn.Sequential(module, Adapter(module.out_features, bottleneck)))
    for module in model.modules():
        if isinstance(module, Adapter):
            for parameter in module.parameters():
                parameter.requires_grad = True
    return [name for name, _ in found]
