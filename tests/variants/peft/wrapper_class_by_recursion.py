"""A wrapper class of its own, put in place by a walk over children; the adapter's formula is written out."""

import math


class Followed(nn.Module):
    def __init__(self, first, then):
        super().__init__()
        self.first, self.then = first, then

    def forward(self, *args, **kwargs):
        return self.then(self.first(*args, **kwargs))


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        if bottleneck <= 0:
            raise ValueError(f"bottleneck={bottleneck}, but it has to be positive")
        self.up = nn.Linear(bottleneck, hidden_size)
        self.down = nn.Linear(hidden_size, bottleneck)
        with torch.no_grad():
            for parameter in self.up.parameters():
                parameter.fill_(0.0)

    def forward(self, x):
        hidden = x @ self.down.weight.T + self.down.bias
        hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
        return torch.add(hidden @ self.up.weight.T + self.up.bias, x)


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules must not be a string, but names: {target_modules!r}")
    added, known, there = [], [], []

    def walk(parent, prefix):
        for key, child in list(parent.named_children()):
            known.append(prefix + key)
            if isinstance(child, Followed):
                there.append(child.then)
            elif key in target_modules:
                setattr(parent, key, Followed(child, Adapter(child.out_features, bottleneck)))
                added.append(prefix + key)
            else:
                walk(child, prefix + key + ".")

    model.requires_grad_(False)
    walk(model, "")
    for adapter in there:
        adapter.requires_grad_(True)
    if not added:
        raise ValueError(f"found none of {target_modules}, only {known}")
    return added
