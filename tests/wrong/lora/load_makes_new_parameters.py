# WRONG lora: loading puts new Parameters in the place of the old ones, which an optimizer still holds
import functools
import math
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F

VALIDATORS = {}


def validator(argument):
    def register(function):
        VALIDATORS[argument] = function
        return function
    return register


@validator("base")
def _(value):
    if not isinstance(value, nn.Linear):
        raise TypeError(f"argument base: {value.__class__} given, torch.nn.Linear allowed")


@validator("rank")
def _(value):
    if value < 1:
        raise ValueError(f"argument rank: {value} given, 1 and more allowed")


@validator("dropout")
def _(value):
    if not (value >= 0 and value < 1):
        raise ValueError(f"argument dropout: {value} given, [0, 1) allowed")


@validator("target_modules")
def _(value):
    if isinstance(value, str):
        raise TypeError(f"argument target_modules: string {value!r} given, list of strings allowed")


def validate(**arguments):
    for name, value in arguments.items():
        VALIDATORS[name](value)


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        validate(base=base, rank=rank, dropout=dropout)
        super().__init__()
        self.base = base
        self.base.weight.requires_grad = False
        if self.base.bias is not None:
            self.base.bias.requires_grad = False
        A = torch.empty_like(base.weight[:1]).repeat(rank, 1)
        B = torch.zeros_like(base.weight[:, :1]).repeat(1, rank)
        nn.init.kaiming_uniform_(A, a=math.sqrt(5))
        self.lora_A, self.lora_B = nn.Parameter(A), nn.Parameter(B)
        self.scaling = alpha / rank
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.merged = False

    def delta_weight(self):
        return torch.linalg.multi_dot([self.lora_B * self.scaling, self.lora_A]) \
            if self.lora_A.dtype in (torch.float32, torch.float64) else (self.lora_B @ self.lora_A) * self.scaling

    def _swap(self, weight):
        # a new Parameter, so that a weight that is tied to an embedding stays what it is there
        self.base.weight = nn.Parameter(weight.detach(), requires_grad=False)

    def merge(self):
        if self.merged:
            return
        self._swap(self.base.weight + self.delta_weight())
        self.merged = True

    def unmerge(self):
        if not self.merged:
            return
        self._swap(self.base.weight - self.delta_weight())
        self.merged = False

    def forward(self, x):
        if self.merged:
            return self.base(x)
        z = F.linear(self.drop(x), self.lora_A)
        return self.base(x) + F.linear(z * self.scaling, self.lora_B)


# ------------------------------------------------------------------ what each kind of module turns into

@functools.singledispatch
def wrapped(module, make):
    return module


@wrapped.register
def _(module: nn.Linear, make):
    return make(module)


@wrapped.register
def _(module: LoRALinear, make):
    return module


@functools.singledispatch
def unwrapped(module):
    return module


@unwrapped.register
def _(module: LoRALinear):
    base = module.base
    weight = base.weight.detach().clone()
    if not module.merged:
        weight += module.delta_weight().detach()
    linear = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None)
    linear = linear.to(device=weight.device, dtype=weight.dtype)
    linear.weight = nn.Parameter(weight)
    linear.bias = base.bias
    return linear.train(module.training)


@functools.singledispatch
def is_linear(module):
    return False


@is_linear.register(nn.Linear)
@is_linear.register(LoRALinear)
def _(module):
    return True


@functools.singledispatch
def children(module):
    return list(module._modules.items())


@children.register
def _(module: LoRALinear):
    return []


def traverse(module, prefix=""):
    for key, child in children(module):
        if child is not None:
            yield module, key, prefix + key
            yield from traverse(module._modules[key], prefix + key + ".")


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    validate(target_modules=target_modules, rank=rank, dropout=dropout)
    linears = [(p, k, n) for p, k, n in traverse(model) if is_linear(p._modules[k])]
    selected = [(p, k, n) for p, k, n in linears if k in list(target_modules)]
    if not selected:
        raise ValueError(
            f"argument target_modules: {target_modules} given, but only these linear layers exist: "
            + ", ".join(n for *_, n in linears)
        )
    for parameter in model.parameters():
        parameter.requires_grad = False

    cache = {layer.base: layer for layer in model.modules() if isinstance(layer, LoRALinear)}

    def make(linear):
        if linear not in cache:
            cache[linear] = LoRALinear(linear, rank, alpha, dropout)
            cache[linear].train(linear.training)
        return cache[linear]

    new = []
    for parent, key, name in selected:
        before = parent._modules[key]
        after = wrapped(before, make)
        if after is not before:
            setattr(parent, key, after)
            new.append(name)
    for layer in cache.values():
        layer.lora_A.requires_grad = layer.lora_B.requires_grad = True
    return new


def _tensors(model):
    return OrderedDict(
        (f"{name}.{key}".lstrip("."), getattr(layer, key))
        for name, layer in model.named_modules() if isinstance(layer, LoRALinear)
        for key in ("lora_A", "lora_B")
    )


def lora_state_dict(model):
    return {name: tensor.data for name, tensor in _tensors(model).items()}


def load_lora_state_dict(model, state):
    mine = _tensors(model)
    if mine.keys() != set(state):
        raise ValueError(
            f"argument state: missing {[k for k in mine if k not in state]}, "
            f"unexpected {[k for k in state if k not in mine]}; exactly the factors of the model are allowed"
        )
    for name in mine:
        if mine[name].size() != state[name].size():
            raise ValueError(
                f"argument state: {name} of size {tuple(state[name].size())} given, {tuple(mine[name].size())} allowed"
            )
    for name in mine:
        path, _, key = name.rpartition(".")
        setattr(model.get_submodule(path), key, nn.Parameter(state[name].detach().clone().to(mine[name])))


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return unwrapped(model)
    cache = {}
    for parent, key, _ in list(traverse(model)):
        module = parent._modules[key]
        if isinstance(module, LoRALinear):
            if module not in cache:
                cache[module] = unwrapped(module)
            setattr(parent, key, cache[module])
    return model
