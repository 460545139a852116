# RIGHT lora: coroutine style, a generator walks the tree and the caller sends the replacement back into it
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        for complaint in self.complaints(base, rank, dropout):
            raise complaint
        self.base = base
        self.lora_A, self.lora_B = (nn.Parameter(t) for t in self.start_values(base.weight, rank))
        self.scaling = alpha / rank
        self.p = dropout
        self.merged = False
        for p in (base.weight, base.bias):
            if p is not None:
                p.requires_grad_(False)

    @staticmethod
    def complaints(base, rank, dropout):
        if not isinstance(base, nn.Linear):
            yield TypeError(f"expected `base` to be nn.Linear, found {type(base).__name__}")
        if rank < 1:
            yield ValueError(f"expected `rank` of 1 or more, found {rank}")
        if not 0 <= dropout < 1:
            yield ValueError(f"expected `dropout` in [0, 1), found {dropout}")

    @staticmethod
    def start_values(weight, rank):
        like = dict(dtype=weight.dtype, device=weight.device)
        yield nn.init.kaiming_uniform_(torch.empty(rank, weight.shape[1], **like), a=math.sqrt(5))
        yield torch.zeros(weight.shape[0], rank, **like)

    def delta_weight(self):
        # a sum of rank-one matrices, the way the paper explains the intrinsic rank
        terms = (torch.outer(b, a) for b, a in zip(self.lora_B.unbind(1), self.lora_A.unbind(0)))
        total = next(terms)
        for term in terms:
            total = total + term
        return self.scaling * total

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight.add_(self.delta_weight())
        self.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight.sub_(self.delta_weight())
        self.merged = False

    def forward(self, x):
        y = self.base(x)
        if self.merged:
            return y
        x = F.dropout(x, self.p, self.training)
        return y + self.scaling * F.linear(F.linear(x, self.lora_A), self.lora_B)


def slots(module, prefix=""):
    """Yields (name, key, child) for each slot below module. Whatever is sent back takes the place of child."""
    for key in list(module._modules):
        child = module._modules[key]
        if child is None:
            continue
        name = prefix + key
        new = yield name, key, child
        if new is not None:
            module._modules[key] = child = new
        if not isinstance(child, LoRALinear):
            yield from slots(child, name + ".")


def replace_all(model, function):
    """Drives slots(): function(name, key, child) returns a replacement or None."""
    walk = slots(model)
    try:
        item = next(walk)
        while True:
            item = walk.send(function(*item))
    except StopIteration:
        pass


def loras(model):
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            yield name, module


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"expected `target_modules` to be a list of strings, found the string {target_modules!r}")
    names = [(name, key) for name, key, child in slots(model) if isinstance(child, (nn.Linear, LoRALinear))]
    if not any(key in target_modules for _, key in names):
        raise ValueError(f"expected `target_modules` to name some of {[n for n, _ in names]}, found {target_modules}")
    model.requires_grad_(False)
    owner = {m.base: m for _, m in loras(model)}
    wrapped = []

    def wrap(name, key, child):
        if key in target_modules and isinstance(child, nn.Linear):
            if child not in owner:
                owner[child] = LoRALinear(child, rank, alpha, dropout).train(child.training)
            wrapped.append(name)
            return owner[child]

    replace_all(model, wrap)
    for m in owner.values():
        m.lora_A.requires_grad_(True)
        m.lora_B.requires_grad_(True)
    return wrapped


def tensors(model):
    for name, m in loras(model):
        dot = "." if name else ""
        yield f"{name}{dot}lora_A", m.lora_A
        yield f"{name}{dot}lora_B", m.lora_B


def lora_state_dict(model):
    return {k: p.detach().clone() for k, p in tensors(model)}


def misfits(model, state):
    own = dict(tensors(model))
    for k, p in own.items():
        if k not in state:
            yield f"{k} is missing"
        elif tuple(state[k].shape) != tuple(p.shape):
            yield f"{k} has shape {tuple(state[k].shape)} instead of {tuple(p.shape)}"
    for k in state:
        if k not in own:
            yield f"{k} is not expected"


def load_lora_state_dict(model, state):
    bad = list(misfits(model, state))
    if bad:
        raise ValueError("expected `state` to fit the model, found: " + "; ".join(bad))
    for k, p in tensors(model):
        p.data.copy_(state[k])


def merge_lora(model):
    plain = {}

    def unwrap(name, key, child):
        if isinstance(child, LoRALinear):
            if child not in plain:
                plain[child] = to_linear(child)
            return plain[child]

    if isinstance(model, LoRALinear):
        return to_linear(model)
    replace_all(model, unwrap)
    return model


@torch.no_grad()
def to_linear(m):
    w = m.base.weight if m.merged else m.base.weight + m.delta_weight()
    out = nn.Linear(w.shape[1], w.shape[0], bias=m.base.bias is not None, dtype=w.dtype, device=w.device)
    for p, q in ((out.weight, w), (out.bias, m.base.bias)):
        if p is not None:
            p.copy_(q)
    return out.train(m.training)
