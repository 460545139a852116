# WRONG qlora: NF4Linear dequantises to the dtype that the linear layer had and then to float32, so a bfloat16 base rounds twice
"""Small codec registry plus type-directed conversion."""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import Any, Callable, Dict, NamedTuple

import torch
from torch import nn

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


class Codec(NamedTuple):
    encode: Callable[..., Any]
    decode: Callable[..., torch.Tensor]
    default_block: int


CODECS: Dict[str, Codec] = {}


def register(name: str, *, block: int):
    def decorate(cls):
        CODECS[name] = Codec(cls.encode, cls.decode, block)
        return cls

    return decorate


def _sanitize(value: torch.Tensor, argument: str, block_size: int) -> torch.Tensor:
    if not block_size >= 1:
        raise ValueError(f"{argument!s}: cannot cut into blocks of block_size={block_size}; block_size >= 1 is allowed")
    if not value.numel():
        raise ValueError(f"{argument}: an empty tensor of shape {list(value.shape)} was given, numel >= 1 is allowed")
    value = value.detach().to(dtype=torch.float32).reshape(-1)
    bad = (~torch.isfinite(value)).sum().item()
    if bad:
        raise ValueError(f"{argument}: {bad} numbers given are NaN or infinite, only finite ones are allowed")
    return value


def _inverse_normal(p: torch.Tensor) -> torch.Tensor:
    """Bisection on the cdf, 60 halvings of [0, 10]."""
    low, high = torch.zeros_like(p), torch.full_like(p, 10.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.ndtr(middle) < p
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


@register("nf4", block=64)
class NormalFloat4:
    @staticmethod
    def levels() -> torch.Tensor:
        return NormalFloat4._computed().clone()

    @staticmethod
    @lru_cache(maxsize=1)
    def _computed() -> torch.Tensor:
        offset = 1 - (1 / 30 + 1 / 32) / 2
        up = _inverse_normal(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:8])
        down = _inverse_normal(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:7])
        values = torch.cat([-down, torch.zeros(1, dtype=torch.float64), up.flip(0)])
        return (values / values[-1]).to(torch.float32)

    @staticmethod
    def encode(weight: torch.Tensor, block_size: int) -> Quantized:
        if not isinstance(weight, torch.Tensor):
            raise TypeError(f"weight: {type(weight).__name__} given, a tensor is allowed")
        if not weight.dtype.is_floating_point:
            raise TypeError(f"weight: dtype {weight.dtype} given, only floating dtypes are allowed")
        flat = _sanitize(weight, "weight", block_size)
        count, blocks = flat.numel(), math.ceil(flat.numel() / block_size)
        owner = torch.arange(count, device=flat.device) // block_size
        absmax = torch.zeros(blocks, dtype=torch.float32, device=flat.device).scatter_reduce_(
            0, owner, flat.abs(), reduce="amax", include_self=True
        )
        unit = torch.where(absmax[owner] > 0, flat / absmax[owner], 0.0)
        levels = NormalFloat4.levels().to(flat.device)
        code = torch.zeros(count, dtype=torch.long, device=flat.device)
        best = torch.full_like(unit, math.inf)
        for i, level in enumerate(levels):  # keep the best of sixteen
            distance = (unit - level).abs()
            code[distance < best] = i
            best = torch.minimum(best, distance)
        packed = torch.full((math.ceil(count / 2),), 0, dtype=torch.long, device=flat.device)
        packed += code[0::2] * 16
        packed[: count // 2] += code[1::2]
        if count % 2:
            packed[-1] += 7
        return Quantized(packed.to(torch.uint8), absmax, weight.shape, weight.dtype, block_size)

    @staticmethod
    def decode(q: Quantized) -> torch.Tensor:
        count = math.prod(q.shape)
        position = torch.arange(count, device=q.codes.device)
        byte = q.codes[position // 2].to(torch.long)
        nibble = torch.where(position % 2 == 0, byte // 16, byte % 16)
        value = NormalFloat4.levels().to(q.codes.device)[nibble] * q.absmax.to(torch.float32)[position // q.block_size]
        return value.reshape(q.shape).to(q.dtype)


@register("int8", block=256)
class Int8AroundMean:
    @staticmethod
    def encode(absmax: torch.Tensor, block_size: int) -> DoubleQuantized:
        flat = _sanitize(absmax, "absmax", block_size)
        mean = flat.mean()
        centred = flat - mean
        owner = torch.arange(flat.numel(), device=flat.device) // block_size
        peak = torch.zeros(int(owner[-1]) + 1, device=flat.device, dtype=torch.float32)
        peak.index_reduce_(0, owner, centred.abs(), "amax")
        scales = peak / 127
        steps = torch.where(scales[owner] > 0, centred / scales[owner], 0.0)
        return DoubleQuantized(steps.round().clamp(-127, 127).to(torch.int8), scales, mean, block_size)

    @staticmethod
    def decode(q: DoubleQuantized) -> torch.Tensor:
        owner = torch.arange(q.codes.numel(), device=q.codes.device) // q.block_size
        return q.codes.to(torch.float32) * q.scales.to(torch.float32)[owner] + q.mean.to(torch.float32)


def nf4_levels() -> torch.Tensor:
    return NormalFloat4.levels()


def quantize_nf4(weight: torch.Tensor, *, block_size: int = CODECS["nf4"].default_block) -> Quantized:
    return CODECS["nf4"].encode(weight, block_size)


def dequantize_nf4(q: Quantized) -> torch.Tensor:
    return CODECS["nf4"].decode(q)


def double_quantize(absmax: torch.Tensor, *, block_size: int = CODECS["int8"].default_block) -> DoubleQuantized:
    return CODECS["int8"].encode(absmax, block_size)


def double_dequantize(q: DoubleQuantized) -> torch.Tensor:
    return CODECS["int8"].decode(q)


class NF4Linear(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear: {type(linear).__name__} given, nn.Linear is allowed")
        outer = quantize_nf4(linear.weight)
        inner = double_quantize(outer.absmax)
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.weight_dtype = outer.dtype
        for name, tensor in (("packed", outer.codes), ("constants", inner.codes), ("steps", inner.scales), ("centre", inner.mean)):
            self.register_buffer(name, tensor)
        self.bias = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def dequantized_weight(self) -> torch.Tensor:
        absmax = double_dequantize(DoubleQuantized(self.constants, self.steps, self.centre, CODECS["int8"].default_block))
        size = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.packed, absmax, size, self.weight_dtype, CODECS["nf4"].default_block)).float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.dequantized_weight().to(x.dtype)
        rows = x.reshape(-1, self.in_features)
        if self.bias is None:
            y = rows.mm(weight.t())
        else:
            y = torch.addmm(self.bias.to(x.dtype), rows, weight.t())
        return y.reshape(*x.shape[:-1], self.out_features)


class Plan:
    """What the conversion may touch, decided before anything is touched."""

    def __init__(self, model: nn.Module, skip) -> None:
        self.skip = tuple(skip)
        self.protected: set[int] = set()
        self.new: dict[int, NF4Linear] = {}
        count: dict[int, set[int]] = {}
        for module in model.modules():
            protect(module, self)
            for parameter in module.parameters(recurse=False):
                count.setdefault(id(parameter), set()).add(id(module))
        self.tied = {key for key, owners in count.items() if len(owners) > 1}


@singledispatch
def protect(module: nn.Module, plan: Plan) -> None:
    """Most modules protect nothing."""


@protect.register
def _(module: LoRALinear, plan: Plan) -> None:
    plan.protected.add(id(module.base))


@singledispatch
def convert(module: nn.Module, name: str, plan: Plan) -> nn.Module:
    return module


@convert.register
def _(module: nn.Linear, name: str, plan: Plan) -> nn.Module:
    if name in plan.skip or id(module) in plan.protected or id(module.weight) in plan.tied:
        return module
    if id(module) not in plan.new:
        plan.new[id(module)] = NF4Linear(module)
        plan.new[id(module)].train(module.training)
    return plan.new[id(module)]


def _nbytes(model: nn.Module) -> int:
    unique = {id(t): t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers())}
    return sum(unique.values())


def quantize_model(model: nn.Module, skip=("lm_head",)) -> dict:
    if isinstance(skip, str):
        raise TypeError(f"skip: the string {skip!r} given, a sequence of names is allowed")
    before = _nbytes(model)
    plan = Plan(model, skip)
    keep = list(model.modules())  # alive, so that ids stay unique
    for parent in keep:
        for name, child in list(parent._modules.items()):
            if child is not None:
                parent._modules[name] = convert(child, name, plan)
    if not plan.new:
        raise ValueError(f"model: a {type(model).__name__} without a linear layer outside skip={plan.skip} given, one is needed")
    made = {id(layer) for layer in plan.new.values()}
    layers = [name for name, module in model.named_modules() if id(module) in made]
    return {"layers": layers, "bytes_before": before, "bytes_after": _nbytes(model)}


class InputGradHook:
    marker = "_qlora_input_grad"

    @classmethod
    def attach(cls, module: nn.Module) -> None:
        if not getattr(module, cls.marker, False):
            module.register_forward_hook(cls.fire)
            setattr(module, cls.marker, True)

    @staticmethod
    def fire(module: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        return output if output.requires_grad else output.requires_grad_(True)


def prepare_for_training(model: nn.Module) -> nn.Module:
    if getattr(model, "get_input_embeddings", None) is None:
        raise ValueError(f"model: a {type(model).__name__} given, only models with get_input_embeddings() are allowed")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if parameter.dtype in {torch.float16, torch.bfloat16}:
            parameter.data = parameter.data.to(torch.float32)
    InputGradHook.attach(model.get_input_embeddings())
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base: {type(base).__name__} given, NF4Linear is allowed")
        if rank < 1:
            raise ValueError(f"rank: {rank} given, rank >= 1 is allowed")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: {dropout} given, 0 <= dropout < 1 is allowed")
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.dropout = dropout
        kwargs = {"device": base.packed.device, "dtype": torch.float32}
        self.lora_A = nn.Parameter(torch.empty((rank, base.in_features), **kwargs))
        self.lora_B = nn.Parameter(torch.zeros((base.out_features, rank), **kwargs))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.base(x)
        h = nn.functional.dropout(x.to(torch.float32), p=self.dropout, training=self.training)
        h = nn.functional.linear(nn.functional.linear(h, self.lora_A), self.lora_B)
        return y + (self.scaling * h).to(y.dtype)

    def delta_weight(self) -> torch.Tensor:
        return self.scaling * (self.lora_B @ self.lora_A)

    def merge(self) -> nn.Linear:
        with torch.no_grad():
            weight = self.base.dequantized_weight() + self.delta_weight()
        result = nn.Linear(self.base.in_features, self.base.out_features, bias=False, device=weight.device)
        result.weight = nn.Parameter(weight)
        if self.base.bias is not None:
            result.bias = nn.Parameter(self.base.bias.detach().to(torch.float32).clone())
        return result
