# RIGHT lora: merge_lora bakes the update into a copy of the base through torch.nn.utils.parametrize
import copy
import math

import torch
from torch import nn
from torch.nn.utils import parametrize


class AddUpdate(nn.Module):
    """Parametrization W -> W + delta, with a constant delta."""

    def __init__(self, delta):
        super().__init__()
        self.register_buffer("delta", delta.detach(), persistent=False)

    def forward(self, weight):
        return weight + self.delta.to(weight.dtype)


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base: nn.Linear (or a subclass) wanted, {type(base).__qualname__} given")
        if rank < 1:
            raise ValueError(f"rank: an integer from 1 wanted, {rank} given")
        if not (0.0 <= dropout < 1.0):
            raise ValueError(f"dropout: a number from 0 up to but not including 1 wanted, {dropout} given")
        super().__init__()
        for parameter in base.parameters():
            parameter.requires_grad_(False)
        self.base = base
        w = base.weight
        self.register_parameter("lora_A", nn.Parameter(torch.empty(rank, w.size(1), dtype=w.dtype, device=w.device)))
        self.register_parameter("lora_B", nn.Parameter(torch.zeros(w.size(0), rank, dtype=w.dtype, device=w.device)))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.lora_dropout = nn.Dropout(p=dropout)
        self.scaling = alpha / rank
        self.merged = False

    def delta_weight(self):
        return self.lora_B.mul(self.scaling).mm(self.lora_A)

    def baked(self):
        """The base with the update inside, as a new module; nothing of self changes."""
        out = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None,
                        dtype=self.base.weight.dtype, device=self.base.weight.device)
        out.load_state_dict({k: v for k, v in self.base.state_dict().items() if k in ("weight", "bias")})
        out.requires_grad_(False)
        if not self.merged:
            parametrize.register_parametrization(out, "weight", AddUpdate(self.delta_weight()))
            parametrize.remove_parametrizations(out, "weight", leave_parametrized=True)
        # the class that parametrize leaves behind is nn.Linear again
        out.weight.requires_grad_(False)
        return out.train(self.training)

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight.copy_(self.base.weight + self.delta_weight())
            self.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight.copy_(self.base.weight - self.delta_weight())
            self.merged = False

    def forward(self, x):
        out = self.base(x)
        if not self.merged:
            h = torch.matmul(self.lora_dropout(x), self.lora_A.t())
            out = out + self.scaling * torch.matmul(h, self.lora_B.t())
        return out


def _all_slots(model):
    """[(qualified name, parent, key)] for all modules below model, doubles included, in model order."""
    slots = []
    for name, _ in model.named_modules(remove_duplicate=False):
        if name:
            head, _, key = name.rpartition(".")
            slots.append((name, model.get_submodule(head), key))
    return slots


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules: a list of strings wanted, the string '{target_modules}' given")
    targets = set(target_modules)
    slots = [
        (name, parent, key) for name, parent, key in _all_slots(model)
        if not isinstance(parent, LoRALinear) and isinstance(getattr(parent, key), (nn.Linear, LoRALinear))
    ]
    chosen = [slot for slot in slots if slot[2] in targets]
    if not chosen:
        raise ValueError(
            f"target_modules: {sorted(targets)} given, but the linear layers are called "
            f"{', '.join(name for name, _, _ in slots) or '(there are none)'}"
        )
    model.requires_grad_(False)
    adapted = {id(m.base): m for m in model.modules() if isinstance(m, LoRALinear)}
    names = []
    for name, parent, key in chosen:
        layer = getattr(parent, key)
        if isinstance(layer, LoRALinear):
            continue
        if id(layer) not in adapted:
            adapted[id(layer)] = LoRALinear(layer, rank, alpha, dropout)
            adapted[id(layer)].train(layer.training)
        setattr(parent, key, adapted[id(layer)])
        names.append(name)
    for layer in adapted.values():
        layer.lora_A.requires_grad_(True)
        layer.lora_B.requires_grad_(True)
    return names


def lora_state_dict(model):
    prefixes = [name + "." * bool(name) for name, m in model.named_modules() if isinstance(m, LoRALinear)]
    wanted = {p + k for p in prefixes for k in ("lora_A", "lora_B")}
    return {k: v.clone() for k, v in model.state_dict().items() if k in wanted}


def load_lora_state_dict(model, state):
    shapes = {k: v.shape for k, v in lora_state_dict(model).items()}
    for k in shapes:
        if k not in state:
            raise ValueError(f"state: {k} is missing (allowed are {sorted(shapes)}, given are {sorted(state)})")
    for k, v in state.items():
        if k not in shapes:
            raise ValueError(f"state: {k} is unexpected (allowed are {sorted(shapes)})")
        if torch.Size(v.shape) != shapes[k]:
            raise ValueError(f"state: {k} has shape {tuple(v.shape)}, allowed is {tuple(shapes[k])}")
    model.load_state_dict(dict(state), strict=False)


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return model.baked()
    new = {}
    for _, parent, key in _all_slots(model):
        layer = parent._modules.get(key)
        if isinstance(layer, LoRALinear):
            if layer not in new:
                new[layer] = layer.baked()
            setattr(parent, key, new[layer])
    return model
