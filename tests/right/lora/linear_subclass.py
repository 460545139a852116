# RIGHT lora: LoRALinear is itself a subclass of nn.Linear whose weight and bias are views of the base, merged is a tensor in a buffer
import math

import torch
from torch import nn
from torch.nn import functional as F


class LoRALinear(nn.Linear):
    """Is an nn.Linear for everybody who asks, but owns no weight: `weight` and `bias` are those of `base`."""

    def __init__(self, base, rank, alpha, dropout=0.0):
        if not isinstance(base, nn.Linear) or isinstance(base, LoRALinear):
            raise TypeError(f"got base of type {type(base).__name__}; allowed are nn.Linear layers that are not wrapped yet")
        if rank < 1:
            raise ValueError(f"got rank {rank}; allowed are 1, 2, 3, ...")
        if not (0.0 <= dropout < 1.0):
            raise ValueError(f"got dropout {dropout}; allowed are values in [0, 1)")
        nn.Module.__init__(self)  # not nn.Linear.__init__, which would make a weight
        self.in_features = base.in_features
        self.out_features = base.out_features
        self.rank, self.alpha, self.p = rank, alpha, dropout
        self.base = base.requires_grad_(False)
        self.lora_A = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_empty(base.out_features, rank))
        self.register_buffer("merged", torch.tensor(False), persistent=False)
        self.reset_parameters()

    weight = property(lambda self: self.base.weight)
    bias = property(lambda self: self.base.bias)
    scaling = property(lambda self: self.alpha / self.rank)

    def reset_parameters(self):
        if "lora_A" in self._parameters:
            nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
            nn.init.zeros_(self.lora_B)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, rank={self.rank}"

    def delta_weight(self):
        return F.linear(self.lora_B, self.lora_A.t()) * self.scaling

    def merge(self):
        if self.merged:
            return
        with torch.no_grad():
            self.base.weight.add_(self.delta_weight())
        self.merged.fill_(True)

    def unmerge(self):
        if not self.merged:
            return
        with torch.no_grad():
            self.base.weight.sub_(self.delta_weight())
        self.merged.fill_(False)

    def forward(self, x):
        y = self.base(x)
        if self.merged:
            return y
        x = F.dropout(x, p=self.p, training=self.training)
        return y + F.linear(F.linear(x, self.lora_A), self.lora_B * self.scaling)


def _slots(module, prefix=""):
    for key, child in module._modules.items():
        if child is None:
            continue
        yield module, key, prefix + key
        if not isinstance(child, LoRALinear):
            yield from _slots(child, f"{prefix}{key}.")


def _adapted(model):
    return {name: m for name, m in model.named_modules() if isinstance(m, LoRALinear)}


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"got target_modules {target_modules!r}, a string; allowed is a list of strings")
    linear = [slot for slot in _slots(model) if isinstance(slot[0]._modules[slot[1]], nn.Linear)]
    hits = [slot for slot in linear if slot[1] in target_modules]
    if not hits:
        raise ValueError(f"got target_modules {list(target_modules)}; allowed are {[name for _, _, name in linear]}")
    for p in model.parameters():
        p.requires_grad_(False)
    memo = {m.base: m for m in _adapted(model).values()}
    names = []
    for parent, key, name in hits:
        module = parent._modules[key]
        if isinstance(module, LoRALinear):
            continue
        if module not in memo:
            memo[module] = LoRALinear(module, rank, alpha, dropout).train(module.training)
        parent._modules[key] = memo[module]
        names.append(name)
    for m in memo.values():
        m.lora_A.requires_grad_(True)
        m.lora_B.requires_grad_(True)
    return names


def _own(model):
    return {f"{n}.{k}" if n else k: m._parameters[k] for n, m in _adapted(model).items() for k in ("lora_A", "lora_B")}


def lora_state_dict(model):
    return {k: p.detach().clone() for k, p in _own(model).items()}


def load_lora_state_dict(model, state):
    own = _own(model)
    given, allowed = {k: tuple(v.shape) for k, v in state.items()}, {k: tuple(p.shape) for k, p in own.items()}
    wrong = {k: (given.get(k, "nothing"), allowed.get(k, "nothing")) for k in {**allowed, **given}
             if given.get(k) != allowed.get(k)}
    if wrong:
        text = "; ".join(f"{k}: got {g}, allowed is {a}" for k, (g, a) in wrong.items())
        raise ValueError(f"state does not fit ({text})")
    with torch.no_grad():
        for k, p in own.items():
            p.copy_(state[k])


def _plain(m):
    with torch.no_grad():
        w = m.weight.clone() if m.merged else m.weight + m.delta_weight()
        out = nn.Linear(m.in_features, m.out_features, bias=m.bias is not None, device=w.device, dtype=w.dtype)
        out.weight.copy_(w)
        if m.bias is not None:
            out.bias.copy_(m.bias)
    return out.train(m.training)


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return _plain(model)
    memo = {m: _plain(m) for m in _adapted(model).values()}
    for parent, key, _ in list(_slots(model)):
        child = parent._modules[key]
        if child in memo:
            parent._modules[key] = memo[child]
    return model
