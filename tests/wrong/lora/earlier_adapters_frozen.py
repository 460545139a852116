# WRONG lora: a second call freezes everything and unfreezes only the layers that it wraps now, not the earlier adapters
import math
from functools import reduce
from itertools import chain
from types import MappingProxyType

import torch
import torch.nn as nn
import torch.nn.functional as F

KEYS = ("lora_A", "lora_B")


# ---- pure functions -------------------------------------------------------

def low_rank(x, a, b, scale):
    return F.linear(F.linear(x, a), scale * b)


def outer_update(a, b, scale):
    return torch.matmul(scale * b, a)


def check(ok, error, text):
    if not ok:
        raise error(text)


def pipe(value, *functions):
    return reduce(lambda v, f: f(v), functions, value)


# ---- the layer ------------------------------------------------------------

class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        check(isinstance(base, nn.Linear), TypeError, f"base must be an nn.Linear, {type(base).__name__} is none")
        check(rank >= 1, ValueError, f"rank must be 1 or larger, {rank} is not")
        check(0 <= dropout < 1, ValueError, f"dropout must be in the half-open interval [0, 1), {dropout} is not")
        super().__init__()
        self.base = freeze(base)
        self.scaling = alpha / rank
        self.dropout = dropout
        self.merged = False
        self.lora_A = pipe(
            torch.empty(rank, base.in_features).to(base.weight),
            lambda t: nn.init.kaiming_uniform_(t, a=math.sqrt(5)),
            nn.Parameter,
        )
        self.lora_B = pipe(torch.zeros(base.out_features, rank).to(base.weight), nn.Parameter)

    def delta_weight(self):
        return outer_update(self.lora_A, self.lora_B, self.scaling)

    def _set_merged(self, wanted):
        sign = int(wanted) - int(self.merged)
        if sign:
            self.base.weight.data = self.base.weight.data + sign * self.delta_weight().data
        self.merged = wanted

    def merge(self):
        self._set_merged(True)

    def unmerge(self):
        self._set_merged(False)

    def forward(self, x):
        return self.base(x) if self.merged else self.base(x) + low_rank(
            F.dropout(x, p=self.dropout, training=self.training), self.lora_A, self.lora_B, self.scaling
        )


# ---- trees ----------------------------------------------------------------

def freeze(module):
    return module.requires_grad_(False)


def join(prefix, name):
    return f"{prefix}.{name}" if prefix else name


def map_children(module, function, prefix=""):
    """function(qualified name, last part, child) -> the child to put there; LoRA layers are leaves."""
    for name, child in tuple(module._modules.items()):
        if child is None:
            continue
        new = function(join(prefix, name), name, child)
        if new is not child:
            module._modules[name] = new
        if not isinstance(new, LoRALinear):
            map_children(new, function, join(prefix, name))
    return module


def lora_layers(model):
    return ((n, m) for n, m in model.named_modules() if isinstance(m, LoRALinear))


def linear_names(model):
    found = []
    map_children(model, lambda q, n, c: found.append((q, n)) or c
                 if isinstance(c, (nn.Linear, LoRALinear)) else c)
    return found


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    check(not isinstance(target_modules, str), TypeError,
          f"target_modules must be a list of names; the string {target_modules!r} is none")
    wanted = frozenset(target_modules)
    present = linear_names(model)
    check(any(n in wanted for _, n in present), ValueError,
          f"target_modules {sorted(wanted)} name no linear layer; there are {[q for q, _ in present]}")
    known = {m.base: m for _, m in lora_layers(model)}
    wrapped = []

    def visit(qualified, name, child):
        if name not in wanted or not isinstance(child, nn.Linear):
            return child
        if child not in known:
            known[child] = LoRALinear(child, rank, alpha, dropout)
            known[child].train(child.training)
        wrapped.append(qualified)
        return known[child]

    pipe(model, freeze, lambda m: map_children(m, visit))
    for p in chain.from_iterable((m.lora_A, m.lora_B) for n, m in lora_layers(model) if n in wrapped):
        p.requires_grad_(True)
    return wrapped


# ---- state ----------------------------------------------------------------

def factors(model):
    return MappingProxyType({join(n, k): getattr(m, k) for n, m in lora_layers(model) for k in KEYS})


def lora_state_dict(model):
    return {k: v.detach() for k, v in factors(model).items()}


def load_lora_state_dict(model, state):
    own = factors(model)
    check(not own.keys() - state.keys(), ValueError, f"state is missing {sorted(own.keys() - state.keys())}")
    check(not state.keys() - own.keys(), ValueError,
          f"state contains {sorted(state.keys() - own.keys())}; only {sorted(own)} are allowed")
    misfits = [f"{k}: {list(state[k].shape)} given, {list(p.shape)} allowed" for k, p in own.items()
               if list(state[k].shape) != list(p.shape)]
    check(not misfits, ValueError, "state has tensors of another shape: " + "; ".join(misfits))
    with torch.no_grad():
        tuple(p.copy_(state[k]) for k, p in own.items())


# ---- merging --------------------------------------------------------------

@torch.no_grad()
def plain(layer):
    w, b = layer.base.weight, layer.base.bias
    out = nn.Linear(w.shape[1], w.shape[0], bias=b is not None, device=w.device, dtype=w.dtype)
    out.load_state_dict(
        ({} if b is None else {"bias": b})
        | {"weight": w if layer.merged else w + layer.delta_weight()}
    )
    return freeze(out).train(layer.training)


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return plain(model)
    memo = {}

    def visit(_qualified, _name, child):
        if not isinstance(child, LoRALinear):
            return child
        if child not in memo:
            memo[child] = plain(child)
        return memo[child]

    return map_children(model, visit)
