# WRONG lora: the forward unpacks x.shape as (B, T, D), so that inputs with another number of dimensions fail
import contextlib
import math

import torch
import torch.nn as nn


@contextlib.contextmanager
def graph_off(*modules):
    """no_grad, and the parameters of `modules` frozen when we leave."""
    with torch.no_grad():
        yield
    for module in modules:
        for p in module.parameters():
            p.requires_grad = False


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0):
        super().__init__()
        self._validate(base, rank, dropout)
        self.in_features = base.in_features
        self.out_features = base.out_features
        with graph_off(base):
            self.base = base
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, device=base.weight.device).to(base.weight.dtype))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device).to(base.weight.dtype))
        torch.nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5), mode="fan_in", nonlinearity="leaky_relu")
        self.lora_alpha, self.rank = alpha, rank
        self.scaling = self.lora_alpha / self.rank
        self.dropout = nn.Dropout(p=dropout, inplace=False)
        self.register_buffer("_original", None, persistent=False)

    @staticmethod
    def _validate(base, rank, dropout):
        if not isinstance(base, nn.Linear):
            raise TypeError("base: got " + repr(type(base)) + ", but it has to be a torch.nn.Linear")
        if rank < 1:
            raise ValueError("rank: got " + repr(rank) + ", but it has to be at least 1")
        if not 0 <= dropout < 1:
            raise ValueError("dropout: got " + repr(dropout) + ", but it has to satisfy 0 <= dropout < 1")

    @property
    def merged(self):
        return self._original is not None

    def delta_weight(self):
        return self.scaling * torch.matmul(self.lora_B, self.lora_A)

    def merge(self):
        if self.merged:
            return
        with graph_off(self.base):
            self._original = self.base.weight.detach().clone()
            self.base.weight.copy_(self._original + self.delta_weight())

    def unmerge(self):
        if not self.merged:
            return
        with graph_off(self.base):
            self.base.weight.copy_(self._original)
            self._original = None

    @contextlib.contextmanager
    def as_merged(self):
        was = self.merged
        self.merge()
        try:
            yield self.base
        finally:
            if not was:
                self.unmerge()

    def forward(self, x):
        if self._original is not None:
            return self.base(x)
        batch, tokens, _ = x.shape
        flat = self.dropout(x).reshape(batch * tokens, self.in_features)
        low = flat.mm(self.lora_A.t())
        update = low.mm(self.lora_B.t()).view(batch, tokens, self.out_features)
        return self.base(x) + update * self.scaling


def _iter_linear(module, prefix=""):
    """Depth first, the order in which modules were registered; yields [parent, name, qualified name]"""
    for name in list(module._modules):
        sub = module._modules[name]
        if sub is None:
            continue
        full = prefix + name
        if isinstance(sub, LoRALinear):
            yield module, name, full
            continue
        if isinstance(sub, nn.Linear):
            yield module, name, full
        yield from _iter_linear(sub, full + ".")


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules: got the str {target_modules!r}, but it has to be a list (or tuple, set) of str")
    everything = list(_iter_linear(model))
    selection = [t for t in everything if t[1] in target_modules]
    if len(selection) == 0:
        raise ValueError(
            f"target_modules: got {target_modules!r}, but it has to match one of "
            f"{sorted({t[1] for t in everything})}"
        )
    with graph_off(model):
        pass
    seen = {id(m.base): m for m in model.modules() if isinstance(m, LoRALinear)}
    wrapped_now = []
    for parent, name, full in selection:
        linear = parent._modules[name]
        if isinstance(linear, LoRALinear):
            continue
        lora = seen.get(id(linear))
        if lora is None:
            lora = LoRALinear(linear, rank=rank, alpha=alpha, dropout=dropout)
            lora.train(linear.training)
            seen[id(linear)] = lora
        parent._modules[name] = lora
        wrapped_now.append(full)
    for lora in seen.values():
        lora.lora_A.requires_grad = True
        lora.lora_B.requires_grad = True
    return wrapped_now


def lora_state_dict(model):
    state = {}
    for name, module in model.named_modules():
        if not isinstance(module, LoRALinear):
            continue
        prefix = f"{name}." if name else ""
        state[f"{prefix}lora_A"] = module.lora_A.detach().clone()
        state[f"{prefix}lora_B"] = module.lora_B.detach().clone()
    return state


def load_lora_state_dict(model, state):
    reference = lora_state_dict(model)
    for key in sorted(set(reference) | set(state)):
        if key not in state:
            raise ValueError(f"state: got no tensor {key!r}, but there has to be one")
        if key not in reference:
            raise ValueError(f"state: got a tensor {key!r}, but only {list(reference)} are allowed")
        if reference[key].shape != state[key].shape:
            raise ValueError(
                f"state: got {key!r} with shape {tuple(state[key].shape)}, "
                f"but it has to be {tuple(reference[key].shape)}"
            )
    targets = dict(model.named_parameters())
    with torch.no_grad():
        for key, value in state.items():
            targets[key].copy_(value)


def merge_lora(model):
    cache = {}

    def convert(lora):
        if id(lora) not in cache:
            base = lora.base
            linear = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None,
                               device=base.weight.device, dtype=base.weight.dtype)
            with graph_off(linear):
                linear.weight.copy_(base.weight)
                if not lora.merged:
                    linear.weight.add_(lora.delta_weight())
                if base.bias is not None:
                    linear.bias.copy_(base.bias)
            linear.train(lora.training)
            cache[id(lora)] = (linear, lora)
        return cache[id(lora)][0]

    if isinstance(model, LoRALinear):
        return convert(model)
    for parent, name, _ in list(_iter_linear(model)):
        if isinstance(parent._modules[name], LoRALinear):
            parent._modules[name] = convert(parent._modules[name])
    return model
