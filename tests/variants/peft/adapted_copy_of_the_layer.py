"""A target is replaced by a layer that holds its tensors and an adapter; the names come back breadth first."""


class AdaptedLinear(nn.Linear):
    def __init__(self, old, bottleneck):
        nn.Module.__init__(self)
        self.in_features, self.out_features = old.in_features, old.out_features
        self.weight, self.bias = old.weight, old.bias
        self.adapter = Adapter(old.out_features, bottleneck).to(device=old.weight.device, dtype=old.weight.dtype)

    def forward(self, x):
        return self.adapter(F.linear(x, self.weight, self.bias))


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError("target_modules is a string, but must be a list of strings")
    layers = {name: layer for name, layer in model.named_modules() if hasattr(layer, "out_features")}
    layers = dict(sorted(layers.items(), key=lambda pair: pair[0].count(".")))
    names = [name for name in layers if name.split(".")[-1] in target_modules]
    if not names:
        raise ValueError("target_modules: no such layer, there are " + str({name.split(".")[-1] for name in layers}))
    names = [name for name in names if not isinstance(layers[name], AdaptedLinear)]
    model.requires_grad_(False)
    for name in names:
        parent, _, last = name.rpartition(".")
        model.get_submodule(parent)._modules[last] = AdaptedLinear(layers[name], bottleneck)
    for layer in model.modules():
        if isinstance(layer, AdaptedLinear):
            layer.adapter.requires_grad_()
    return names
