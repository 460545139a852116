# RIGHT qlora: straight textbook version, ndtri quantiles, bucketize on the midpoints, full forward hook on the embedding
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
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


def nf4_levels() -> torch.Tensor:
    """The sixteen levels of NormalFloat4."""
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = torch.special.ndtri(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -torch.special.ndtri(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels / levels.max()).to(torch.float32)


def _blocks(flat: torch.Tensor, size: int) -> torch.Tensor:
    """(n,) -> (ceil(n / size), size), the last row filled with zeros."""
    return F.pad(flat, (0, -flat.numel() % size)).view(-1, size)


@torch.no_grad()
def quantize_nf4(weight: torch.Tensor, *, block_size: int = 64) -> Quantized:
    if not isinstance(weight, torch.Tensor):
        raise TypeError(f"weight must be a tensor, got {type(weight).__name__}")
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    if weight.numel() == 0:
        raise ValueError(f"weight must hold at least one number, got the shape {tuple(weight.shape)}")
    flat = weight.detach().reshape(-1).float()
    if not torch.isfinite(flat).all():
        raise ValueError("weight must be finite, got NaN or infinity")
    n = flat.numel()
    blocks = _blocks(flat, block_size)
    absmax = blocks.abs().amax(dim=1)
    unit = blocks / torch.where(absmax == 0, torch.ones_like(absmax), absmax)[:, None]
    levels = nf4_levels().to(weight.device)
    middles = (levels[1:] + levels[:-1]) / 2
    indices = torch.bucketize(unit.reshape(-1)[:n].contiguous(), middles).to(torch.uint8)
    if n % 2:
        indices = F.pad(indices, (0, 1), value=7)
    codes = (indices[0::2] << 4) | indices[1::2]
    return Quantized(codes, absmax, weight.shape, weight.dtype, block_size)


@torch.no_grad()
def dequantize_nf4(q: Quantized) -> torch.Tensor:
    n = math.prod(q.shape)
    indices = torch.stack([q.codes >> 4, q.codes & 15], dim=1).reshape(-1)[:n]
    values = nf4_levels().to(q.codes.device)[indices.long()]
    scale = q.absmax.float().repeat_interleave(q.block_size)[:n]
    return (values * scale).to(q.dtype).reshape(q.shape)


@torch.no_grad()
def double_quantize(absmax: torch.Tensor, *, block_size: int = 256) -> DoubleQuantized:
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    if absmax.numel() == 0:
        raise ValueError("absmax must hold at least one number, got an empty tensor")
    if not torch.isfinite(absmax).all():
        raise ValueError("absmax must be finite, got NaN or infinity")
    absmax = absmax.detach().reshape(-1).float()
    mean = absmax.mean()
    blocks = _blocks(absmax - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    steps = blocks / torch.where(scales == 0, torch.ones_like(scales), scales)[:, None]
    codes = steps.round().clamp(-127, 127).to(torch.int8).reshape(-1)[: absmax.numel()].clone()
    return DoubleQuantized(codes, scales, mean, block_size)


@torch.no_grad()
def double_dequantize(q: DoubleQuantized) -> torch.Tensor:
    scales = q.scales.float().repeat_interleave(q.block_size)[: q.codes.numel()]
    return q.codes.float() * scales + q.mean.float()


class NF4Linear(nn.Module):
    """A linear layer that holds four bits a weight."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        q = quantize_nf4(linear.weight)
        constants = double_quantize(q.absmax)
        self.register_buffer("codes", q.codes)
        self.register_buffer("absmax_codes", constants.codes)
        self.register_buffer("absmax_scales", constants.scales)
        self.register_buffer("absmax_mean", constants.mean)
        if linear.bias is None:
            self.bias = None
        else:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def dequantized_weight(self) -> torch.Tensor:
        constants = DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256)
        shape = torch.Size([self.out_features, self.in_features])
        return dequantize_nf4(Quantized(self.codes, double_dequantize(constants), shape, torch.float32, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.dequantized_weight().to(x.dtype), bias)


def _size(model: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in [*model.parameters(), *model.buffers()])


def quantize_model(model: nn.Module, skip: Sequence[str] = ("lm_head",)) -> dict:
    if isinstance(skip, str):
        raise TypeError(f"skip must be a list of names, got the string {skip!r}")
    owners: dict[int, set[int]] = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), set()).add(id(module))
    bases = {id(m.base) for m in model.modules() if isinstance(m, LoRALinear)}
    before = _size(model)
    new: dict[int, nn.Module] = {}
    names = []
    places = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if n and isinstance(m, nn.Linear)]
    for name, module in places:
        if name.rpartition(".")[2] in skip or id(module) in bases:
            continue
        if len(owners.get(id(module.weight), ())) > 1:
            continue
        if id(module) not in new:
            new[id(module)] = NF4Linear(module).train(module.training)
            names.append(name)
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, new[id(module)])
    if not names:
        raise ValueError(f"model has no linear layer to quantise outside skip={list(skip)}")
    return {"layers": names, "bytes_before": before, "bytes_after": _size(model)}


def _require_grad(module, inputs, output):
    output.requires_grad_(True)


def prepare_for_training(model: nn.Module) -> nn.Module:
    if not callable(getattr(model, "get_input_embeddings", None)):
        raise ValueError(f"model must have a method get_input_embeddings, got {type(model).__name__}, which has none")
    embedding = model.get_input_embeddings()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    if _require_grad not in embedding._forward_hooks.values():
        embedding.register_forward_hook(_require_grad)
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base must be an NF4Linear, got {type(base).__name__}")
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.base = base.requires_grad_(False)
        device = base.codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        update = F.linear(F.linear(self.dropout(x.float()), self.lora_A), self.lora_B) * self.scaling
        return self.base(x) + update.to(x.dtype)

    def delta_weight(self) -> torch.Tensor:
        return self.scaling * self.lora_B @ self.lora_A

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        base = self.base
        merged = nn.Linear(
            base.in_features, base.out_features, bias=base.bias is not None, device=base.codes.device, dtype=torch.float32
        )
        merged.weight.copy_(base.dequantized_weight() + self.delta_weight())
        if base.bias is not None:
            merged.bias.copy_(base.bias)
        return merged.train(self.training)
