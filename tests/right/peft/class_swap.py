# RIGHT peft: the class of a layer is swapped for a generated subclass with an adapter (names of weights stay), returns all matching names
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class ParameterCount:
    trainable: int
    total: int

    @property
    def percent(self):
        return 100 * self.trainable / self.total if self.total else math.nan


def freeze(model):
    model.requires_grad_(False)
    return model


def count_parameters(model):
    trainable = total = 0
    seen = set()
    for p in model.parameters():
        if p in seen:
            continue
        seen.add(p)
        total += p.numel()
        trainable += p.numel() * p.requires_grad
    return ParameterCount(trainable, total)


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError(f"also={also!r}: a list of strings is allowed, a string is not")
    freeze(model)
    some_bias = False
    for name, p in model.named_parameters(remove_duplicate=False):
        bias = name == "bias" or name.endswith(".bias")
        some_bias |= bias
        if bias or any(s in name for s in also):
            p.requires_grad_(True)
    if not some_bias:
        raise ValueError(f"model={type(model).__name__}: a model with biases is allowed, this one has none")
    return [name for name, p in model.named_parameters() if p.requires_grad]


class ZeroLinear(nn.Linear):
    """Starts at zero."""

    def reset_parameters(self):
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        if bottleneck < 1:
            raise ValueError(f"bottleneck={bottleneck}: 1 and more is allowed")
        super().__init__()
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = ZeroLinear(bottleneck, hidden_size)

    def forward(self, x):
        h = self.down(x)
        h = 0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0)))
        return x + self.up(h)


class WithAdapter:
    """Mixin, put in front of the class of the layer."""

    def forward(self, *args, **kwargs):
        return self.adapter(super().forward(*args, **kwargs))


_classes = {}


def adapted_class(cls):
    if cls not in _classes:
        _classes[cls] = type("Adapted" + cls.__name__, (WithAdapter, cls), {"__module__": cls.__module__})
    return _classes[cls]


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules={target_modules!r}: a list of strings is allowed, a string is not")
    if bottleneck < 1:
        raise ValueError(f"bottleneck={bottleneck}: 1 and more is allowed")
    inside = set()
    for m in model.modules():
        if isinstance(m, Adapter):
            inside.update(m.modules())
    candidates = {n: m for n, m in model.named_modules(remove_duplicate=False) if n and m not in inside}
    matching = {n: m for n, m in candidates.items() if n.rpartition(".")[-1] in target_modules}
    if not matching:
        raise ValueError(f"target_modules={list(target_modules)}: allowed are last parts of {list(candidates)}")
    freeze(model)
    for layer in matching.values():
        if isinstance(layer, WithAdapter):
            continue
        adapter = Adapter(layer.out_features, bottleneck)
        reference = next(layer.parameters(), None)
        if reference is not None:
            adapter.to(reference.device, reference.dtype)
        layer.adapter = adapter.train(layer.training)
        layer.__class__ = adapted_class(type(layer))
    for m in model.modules():
        if isinstance(m, Adapter):
            m.requires_grad_(True)
    return list(matching)


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        if num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens={num_virtual_tokens}: 1 and more is allowed")
        super().__init__()
        self.add_module("model", freeze(model))
        embedding = model.get_input_embeddings()
        with torch.no_grad():
            vocabulary = embedding.weight.size(0)
            picks = torch.randperm(vocabulary).repeat(1 + num_virtual_tokens // vocabulary)[:num_virtual_tokens]
            prompt = embedding(picks.to(embedding.weight.device)).clone()
        self.register_parameter("soft_prompt", nn.Parameter(prompt))

    def forward(self, input_ids, attention_mask):
        n = self.soft_prompt.size(0)
        real = self.model.get_input_embeddings()(input_ids)
        both = real.new_empty(real.size(0), n + real.size(1), real.size(2))
        both[:, :n] = self.soft_prompt
        both[:, n:] = real
        mask = attention_mask.new_ones(both.shape[:2])
        mask[:, n:] = attention_mask
        return self.model(inputs_embeds=both, attention_mask=mask)[:, n:]


class IA3Linear(nn.Module):
    def __init__(self, base):
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base={type(base).__name__}: nn.Linear is allowed")
        super().__init__()
        self.base = base
        for p in base.parameters():
            p.requires_grad_(False)
        self.ia3 = nn.Parameter(torch.full_like(base.weight[:, 0].detach(), 1.0))

    def forward(self, x):
        return torch.mul(self.base(x), self.ia3)

    def merge(self):
        base, scale = self.base, self.ia3.detach()
        out = nn.utils.skip_init(nn.Linear, base.in_features, base.out_features, bias=base.bias is not None,
                                 dtype=base.weight.dtype, device=base.weight.device)
        with torch.no_grad():
            torch.mul(base.weight, scale.view(-1, 1), out=out.weight)
            if base.bias is not None:
                torch.mul(base.bias, scale, out=out.bias)
        return out


def adapter_state_dict(model):
    return {name: p.data for name, p in model.named_parameters() if p.requires_grad}


def load_adapter(model, state):
    expected = adapter_state_dict(model)
    difference = expected.keys() ^ state.keys()
    if difference:
        words = [f"{k} ({'missing' if k in expected else 'unexpected'})" for k in sorted(difference)]
        raise ValueError(f"state does not fit: {', '.join(words)}; allowed is exactly {sorted(expected)}")
    for k in expected:
        if expected[k].shape != state[k].shape:
            raise ValueError(f"state[{k!r}] has shape {tuple(state[k].shape)}; allowed is {tuple(expected[k].shape)}")
    for k in expected:
        expected[k].copy_(state[k])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"trainable={trainable}: at most total={total} is allowed")
    out = {}
    out["weights"] = weight_bytes * total
    out["gradients"] = grad_bytes * trainable
    out["optimizer"] = optimizer_bytes * trainable
    out["total"] = out["weights"] + out["gradients"] + out["optimizer"]
    return out
