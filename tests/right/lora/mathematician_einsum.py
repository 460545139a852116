# RIGHT lora: by a mathematician, einsum over named indices and the update computed in float32 (float64 for doubles)
r"""
Let W in R^{o x i} be fixed. We study W + s U with U = B A, A in R^{r x i}, B in R^{o x r}, s = alpha / r.
At t = 0: B = 0, a_{kj} ~ U(-1/sqrt(i), 1/sqrt(i)), which is Kaiming's bound gain * sqrt(3 / i)
with gain = sqrt(2 / (1 + a^2)), a^2 = 5.
"""
from math import sqrt

import torch
from torch import einsum
from torch.nn import Dropout, Linear, Module, Parameter


def _wide(dtype):
    return torch.promote_types(dtype, torch.float32)


class LoRALinear(Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, Linear):
            raise TypeError(f"base = {base!r} is not an nn.Linear; only nn.Linear is allowed")
        r = rank
        if not r >= 1:
            raise ValueError(f"rank = {r} violates rank >= 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout = {dropout} violates 0 <= dropout < 1")
        self.base = base
        self.base.requires_grad_(False)
        o, i = base.weight.shape
        gain = sqrt(2 / (1 + 5))
        bound = gain * sqrt(3 / i) if i else 0.0
        W = base.weight
        self.lora_A = Parameter(W.new_empty(r, i).uniform_(-bound, bound))
        self.lora_B = Parameter(W.new_zeros(o, r))
        self.scaling = alpha / r
        self.thin = Dropout(dropout)
        self._t = 0  # 0: the base holds W, 1: it holds W + s U

    @property
    def merged(self):
        return self._t == 1

    def _factors(self):
        d = _wide(self.lora_A.dtype)
        return self.lora_A.to(d), self.lora_B.to(d)

    def delta_weight(self):
        A, B = self._factors()
        return self.scaling * einsum("ok,ki->oi", B, A)

    def _move_to(self, t):
        if t == self._t:
            return
        with torch.no_grad():
            W = self.base.weight
            W.copy_(W.to(_wide(W.dtype)) + (t - self._t) * self.delta_weight())
        self._t = t

    def merge(self):
        self._move_to(1)

    def unmerge(self):
        self._move_to(0)

    def forward(self, x):
        y = self.base(x)
        if self._t:
            return y
        A, B = self._factors()
        u = einsum("ok,...k->...o", B, einsum("ki,...i->...k", A, self.thin(x).to(A.dtype)))
        return y + (self.scaling * u).to(y.dtype)


# ---------------------------------------------------------------------------------------------------------------
# The tree of modules. A place is a pair (parent, key); several places may hold one module.

def _places(root):
    seen, stack = set(), [("", root)]
    while stack:
        prefix, node = stack.pop()
        if isinstance(node, LoRALinear):
            continue
        children = [(prefix + key, node, key) for key, c in node._modules.items() if c is not None]
        for name, parent, key in children:
            if (id(parent), key) not in seen:
                seen.add((id(parent), key))
                yield name, parent, key
        stack.extend((name + ".", parent._modules[key]) for name, parent, key in reversed(children))


def _in_model_order(root):
    index = {name: n for n, (name, _) in enumerate(root.named_modules(remove_duplicate=False))}
    return sorted(_places(root), key=lambda place: index[place[0]])


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules = {target_modules!r} is a string; a list of strings is allowed")
    Omega = [p for p in _in_model_order(model) if isinstance(p[1]._modules[p[2]], (Linear, LoRALinear))]
    S = [p for p in Omega if p[2] in target_modules]
    if not S:
        raise ValueError(f"target_modules = {target_modules!r} selects the empty set; the linear layers are "
                         f"{{{', '.join(p[0] for p in Omega)}}}")
    phi = {m.base: m for m in model.modules() if isinstance(m, LoRALinear)}  # base -> wrapper, injective
    for theta in model.parameters():
        theta.requires_grad_(False)
    names = []
    for name, parent, key in S:
        f = parent._modules[key]
        if isinstance(f, LoRALinear):
            continue
        if f not in phi:
            phi[f] = LoRALinear(f, rank, alpha, dropout).train(f.training)
        parent._modules[key] = phi[f]
        names.append(name)
    for g in phi.values():
        g.lora_A.requires_grad_()
        g.lora_B.requires_grad_()
    return names


def _coordinates(model):
    return {
        ".".join(filter(None, (name, k))): getattr(m, k)
        for name, m in model.named_modules() if isinstance(m, LoRALinear) for k in ("lora_A", "lora_B")
    }


def lora_state_dict(model):
    return {k: v.detach().clone() for k, v in _coordinates(model).items()}


def load_lora_state_dict(model, state):
    own = _coordinates(model)
    symmetric_difference = set(own) ^ set(state)
    if symmetric_difference:
        raise ValueError(f"state: the keys given and the keys allowed differ in {sorted(symmetric_difference)} "
                         f"(missing: {sorted(set(own) - set(state))}, unexpected: {sorted(set(state) - set(own))})")
    bad = {k: (tuple(state[k].shape), tuple(own[k].shape)) for k in own if state[k].shape != own[k].shape}
    if bad:
        raise ValueError(f"state: shapes (given, allowed) differ: {bad}")
    with torch.no_grad():
        for k in own:
            own[k].copy_(state[k])


def merge_lora(model):
    psi = {}

    def image(g):
        if g not in psi:
            b = g.base
            W = b.weight.detach().clone()
            if not g.merged:
                W.copy_(W.to(_wide(W.dtype)) + g.delta_weight().detach())
            h = Linear(*reversed(W.shape), bias=b.bias is not None, dtype=W.dtype, device=W.device)
            h.weight = Parameter(W)
            if b.bias is not None:
                h.bias = Parameter(b.bias.detach().clone())
            psi[g] = h.train(g.training)
        return psi[g]

    if isinstance(model, LoRALinear):
        return image(model)
    for _, parent, key in list(_places(model)):
        if isinstance(parent._modules[key], LoRALinear):
            parent._modules[key] = image(parent._modules[key])
    return model
