# RIGHT qlora: mixins and __init_subclass__, NaN-padded blocks, prepare makes new tied-aware Parameter objects, float constants protected from .half()
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from solutions.lora import LoRALinear


@dataclass(frozen=True)
class Quantized:
    codes: torch.Tensor
    absmax: torch.Tensor
    shape: torch.Size
    dtype: torch.dtype
    block_size: int


@dataclass(frozen=True)
class DoubleQuantized:
    codes: torch.Tensor
    scales: torch.Tensor
    mean: torch.Tensor
    block_size: int


class Checks:
    """Gathers argument checks declared by name."""

    rules = {}

    def __init_subclass__(cls, **rules):
        super().__init_subclass__()
        cls.rules = {**cls.rules, **rules}

    @classmethod
    def check(cls, **given):
        for name, value in given.items():
            test, error, allowed = cls.rules[name]
            if not test(value):
                shown = value if isinstance(value, (int, float, str)) else type(value).__name__
                raise error(f"{name} = {shown}: allowed is {allowed}")


class WeightChecks(
    Checks,
    block_size=(lambda b: b >= 1, ValueError, "a whole number from 1"),
    weight=(lambda w: isinstance(w, torch.Tensor) and w.is_floating_point(), TypeError, "a tensor of a floating dtype"),
    size=(lambda n: n > 0, ValueError, "a weight or absmax with at least one number"),
    numbers=(lambda t: bool(torch.isfinite(t).all()), ValueError, "a weight or absmax of finite numbers only"),
):
    pass


class LayerChecks(
    Checks,
    linear=(lambda l: isinstance(l, nn.Linear), TypeError, "an nn.Linear"),
    base=(lambda l: isinstance(l, NF4Linear), TypeError, "an NF4Linear"),
    rank=(lambda r: r >= 1, ValueError, "a whole number from 1"),
    dropout=(lambda p: 0 <= p < 1, ValueError, "a number in [0, 1)"),
    skip=(lambda s: not isinstance(s, str), TypeError, "a list of names, no single string"),
):
    pass


def nf4_levels():
    offset = 1 - (1 / 30 + 1 / 32) / 2
    p = torch.tensor([offset - (offset - 0.5) * i / 8 for i in range(8)], dtype=torch.float64)
    n = torch.tensor([offset - (offset - 0.5) * i / 7 for i in range(7)], dtype=torch.float64)
    z = torch.special.ndtri(torch.cat((p, n)))
    z[8:] *= -1
    z = torch.cat((z, torch.zeros(1, dtype=torch.float64))).sort()[0]
    return z.div(z.amax()).to(torch.float32)


class Blocks:
    """A flat vector seen as blocks; NaN fills the end so that it never counts."""

    def __init__(self, flat, size):
        self.n = flat.numel()
        self.rows = F.pad(flat, (0, -self.n % size), value=math.nan).unflatten(0, (-1, size))

    def peak(self):
        return self.rows.abs().nan_to_num(nan=0.0, posinf=math.inf).amax(dim=-1)

    def over(self, divisor):
        return (self.rows / torch.where(divisor > 0, divisor, 1.0).unsqueeze(-1)).flatten()[: self.n]

    def times(self, factor):
        return (self.rows * factor.unsqueeze(-1)).flatten()[: self.n]


def quantize_nf4(weight, *, block_size=64):
    WeightChecks.check(weight=weight, block_size=block_size, size=weight.numel() if isinstance(weight, torch.Tensor) else 0)
    flat = weight.detach().flatten().to(torch.float32)
    WeightChecks.check(numbers=flat)
    blocks = Blocks(flat, block_size)
    absmax = blocks.peak()
    unit = blocks.over(absmax)
    levels = nf4_levels().to(flat.device)
    index = torch.searchsorted(0.5 * (levels[1:] + levels[:-1]), unit)
    index = F.pad(index, (0, index.numel() % 2), value=7).unflatten(0, (-1, 2))
    return Quantized(index[:, 0].mul(16).add(index[:, 1]).to(torch.uint8), absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    n = q.shape.numel()
    index = q.codes.unsqueeze(-1).bitwise_right_shift(torch.tensor([4, 0], dtype=torch.uint8, device=q.codes.device)) % 16
    values = nf4_levels().to(q.codes.device).take(index.flatten()[:n].long())
    return Blocks(values, q.block_size).times(q.absmax.to(torch.float32)).to(q.dtype).reshape(q.shape)


def double_quantize(absmax, *, block_size=256):
    WeightChecks.check(block_size=block_size, size=absmax.numel(), numbers=absmax)
    flat = absmax.detach().flatten().to(torch.float32)
    mean = flat.mean()
    blocks = Blocks(flat - mean, block_size)
    scales = blocks.peak() / 127
    codes = blocks.over(scales).where(scales.repeat_interleave(block_size)[: flat.numel()] > 0, 0.0)
    return DoubleQuantized(codes.round().clamp(-127, 127).to(torch.int8), scales, mean, block_size)


def double_dequantize(q):
    flat = Blocks(q.codes.to(torch.float32), q.block_size).times(q.scales.to(torch.float32)) + q.mean.to(torch.float32)
    return flat.clamp(min=0)


class WithBuffers:
    def __init_subclass__(cls, buffers=(), **kwargs):
        super().__init_subclass__(**kwargs)
        cls.buffer_names = tuple(buffers)

    def set_buffers(self, *tensors):
        for name, tensor in zip(self.buffer_names, tensors, strict=True):
            self.register_buffer(name, tensor)


class KeepConstants:
    """Floating buffers keep float32 when the model is cast; only their device may change."""

    def _apply(self, fn, recurse=True):
        kept = {k: v for k, v in self._buffers.items() if v is not None and v.is_floating_point()}
        super()._apply(fn, recurse)
        for name, old in kept.items():
            if self._buffers[name].dtype != old.dtype:
                self._buffers[name] = old.to(self._buffers[name].device)
        return self


class NF4Linear(WithBuffers, KeepConstants, nn.Module, buffers=("codes", "absmax_codes", "absmax_scales", "absmax_mean")):
    def __init__(self, linear):
        LayerChecks.check(linear=linear)
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        q = quantize_nf4(linear.weight)
        d = double_quantize(q.absmax)
        self.set_buffers(q.codes, d.codes, d.scales, d.mean)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def dequantized_weight(self):
        d = DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256)
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.codes, double_dequantize(d), shape, torch.float32, 64))

    def forward(self, x):
        bias = self.bias.to(x.dtype) if isinstance(self.bias, nn.Parameter) else None
        return F.linear(x, self.dequantized_weight().to(x.dtype), bias)


def _bytes(model):
    return sum(t.element_size() * t.nelement() for t in {id(t): t for t in [*model.parameters(), *model.buffers()]}.values())


def quantize_model(model, skip=("lm_head",)):
    LayerChecks.check(skip=skip)
    skip = list(skip)
    modules = list(model.modules())
    lora_bases = {id(m.base) for m in modules if isinstance(m, LoRALinear)}
    shared = {}
    for m in modules:
        for p in set(m.parameters(recurse=False)):
            shared[p] = shared.get(p, 0) + 1
    replaced, names = {}, []
    before = _bytes(model)
    for name, m in list(model.named_modules(remove_duplicate=False)):
        parent, dot, leaf = name.rpartition(".")
        if not leaf or leaf in skip or not isinstance(m, nn.Linear) or id(m) in lora_bases or shared.get(m.weight, 1) > 1:
            continue
        if m not in replaced:
            replaced[m] = NF4Linear(m)
            replaced[m].training = m.training
            names.append(name)
        setattr(model.get_submodule(parent), leaf, replaced[m])
    if not names:
        raise ValueError(f"model = {type(model).__name__}: allowed is a model with a linear layer outside skip = {skip}")
    return {"layers": names, "bytes_before": before, "bytes_after": _bytes(model)}


def _let_gradients_in(module, args, output):
    output.requires_grad_(True)


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model = {type(model).__name__}: allowed is a model with a method get_input_embeddings")
    embedding = model.get_input_embeddings()
    memo = {}
    for module in model.modules():  # new parameters for the half ones; tied ones stay tied
        for name, p in list(module._parameters.items()):
            if p is None:
                continue
            if p not in memo:
                half = p.dtype in (torch.float16, torch.bfloat16)
                memo[p] = nn.Parameter(p.detach().float(), requires_grad=False) if half else p.requires_grad_(False)
            module._parameters[name] = memo[p]
    if all(h is not _let_gradients_in for h in embedding._forward_hooks.values()):
        embedding.register_forward_hook(_let_gradients_in)
    return model


class LowRank:
    def make_factors(self, rank, inputs, outputs, device):
        self.lora_A = nn.Parameter(torch.empty(rank, inputs, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.zeros(outputs, rank, dtype=torch.float32, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def delta_weight(self):
        return self.scaling * (self.lora_B @ self.lora_A)

    def update(self, x):
        return F.linear(F.linear(x, self.lora_A), self.lora_B).mul(self.scaling)


class QLoRALinear(LowRank, nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        LayerChecks.check(base=base, rank=rank, dropout=dropout)
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.make_factors(rank, base.in_features, base.out_features, base.codes.device)

    def forward(self, x):
        return self.base(x) + self.update(self.dropout(x.float())).to(x.dtype)

    @torch.no_grad()
    def merge(self):
        base = self.base
        new = nn.Linear(base.in_features, base.out_features, base.bias is not None, device=base.codes.device, dtype=torch.float32)
        new.weight.copy_(torch.add(base.dequantized_weight(), self.delta_weight()))
        if base.bias is not None:
            new.bias.copy_(base.bias)
        return new
