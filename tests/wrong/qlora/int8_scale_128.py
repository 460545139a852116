# WRONG qlora: the 8-bit scale is max|x| / 128 with the range -128..127, so the largest constant is clipped by a whole step
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
import array
import math

import torch
import torch.nn as nn

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


class Size(IntEnum):
    BLOCK = 64
    SUPERBLOCK = 256
    CHUNK = 4096  # numbers encoded at a time


NIBBLE_MASK: Final[int] = 0x0F
NIBBLE_BITS: Final[int] = 4
ZERO_CODE: Final[int] = 0x7
I8_MAX: Final[int] = 127


def _norm_ppf(p: float) -> float:
    """Acklam's start value, then two Halley steps; double precision."""
    assert 0.5 <= p < 1.0
    t = math.sqrt(-2.0 * math.log(1.0 - p))
    x = t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1.0 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3)
    for _ in range(4):
        e = 0.5 * math.erfc(-x / math.sqrt(2.0)) - p
        u = e * math.sqrt(2.0 * math.pi) * math.exp(x * x / 2.0)
        x = x - u / (1.0 + x * u / 2.0)
    return x


def _make_table() -> array.array:
    offset = 1.0 - (1.0 / 30.0 + 1.0 / 32.0) / 2.0
    table = array.array("d", [0.0] * 16)
    for i in range(8):
        table[15 - i] = _norm_ppf(offset + (0.5 - offset) * i / 8.0)
    for i in range(7):
        table[i] = -_norm_ppf(offset + (0.5 - offset) * i / 7.0)
    top = table[15]
    for i in range(16):
        table[i] /= top
    table[ZERO_CODE] = 0.0
    return table


_TABLE: Final = _make_table()


def nf4_levels() -> torch.Tensor:
    return torch.tensor(_TABLE.tolist(), dtype=torch.float32)


def _div_up(a: int, b: int) -> int:
    return (a + b - 1) // b


def _throw_if(condition: bool, error: type, what: str) -> None:
    if condition:
        raise error(what)


def quantize_nf4(weight: torch.Tensor, *, block_size: int = int(Size.BLOCK)) -> Quantized:
    _throw_if(not isinstance(weight, torch.Tensor), TypeError, f"invalid argument weight: {type(weight)}, expected Tensor")
    _throw_if(not weight.is_floating_point(), TypeError, f"invalid argument weight: {weight.dtype}, expected floating dtype")
    _throw_if(block_size < 1, ValueError, f"invalid argument block_size: {block_size}, expected >= 1")
    n: int = weight.numel()
    _throw_if(n == 0, ValueError, "invalid argument weight: empty, expected at least one number")

    src = weight.detach().reshape(n).to(torch.float32)
    _throw_if(not torch.isfinite(src).all().item(), ValueError, "invalid argument weight: not finite, expected finite numbers")

    n_blocks = _div_up(n, block_size)
    absmax = torch.empty(n_blocks, dtype=torch.float32, device=src.device)
    scratch = torch.zeros(_div_up(n, 2) * 2, dtype=torch.int32, device=src.device)
    scratch[n:] = ZERO_CODE
    table = nf4_levels().to(src.device)

    # encode whole blocks, as many as fit in a chunk
    blocks_per_chunk = max(1, Size.CHUNK // block_size)
    for first in range(0, n_blocks, blocks_per_chunk):
        last = min(first + blocks_per_chunk, n_blocks)
        lo, hi = first * block_size, min(last * block_size, n)
        work = torch.zeros((last - first) * block_size, dtype=torch.float32, device=src.device)
        work[: hi - lo] = src[lo:hi]
        work = work.view(last - first, block_size)
        peak = work.abs().amax(dim=1)
        absmax[first:last] = peak
        peak = peak.where(peak > 0.0, torch.ones((), device=peak.device))
        work = work.div(peak.unsqueeze(1)).view(-1)[: hi - lo]
        scratch[lo:hi] = torch.sub(work.unsqueeze(1), table).square().min(dim=1).indices.int()

    pairs = scratch.view(-1, 2)
    packed = ((pairs[:, 0] & NIBBLE_MASK) << NIBBLE_BITS) | (pairs[:, 1] & NIBBLE_MASK)
    return Quantized(packed.to(torch.uint8), absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q: Quantized) -> torch.Tensor:
    n = 1
    for extent in q.shape:
        n *= extent
    word = q.codes.to(torch.int32)
    dst = torch.empty(word.numel(), 2, dtype=torch.float32, device=word.device)
    table = nf4_levels().to(word.device)
    dst[:, 0] = table[(word >> NIBBLE_BITS) & NIBBLE_MASK]
    dst[:, 1] = table[word & NIBBLE_MASK]
    dst = dst.view(-1)[:n]
    absmax = q.absmax.to(torch.float32)
    full = n // q.block_size
    if full > 0:
        dst[: full * q.block_size].view(full, q.block_size).mul_(absmax[:full].unsqueeze(1))
    if full * q.block_size < n:
        dst[full * q.block_size :].mul_(absmax[full])
    return dst.to(q.dtype).reshape(q.shape)


def double_quantize(absmax: torch.Tensor, *, block_size: int = int(Size.SUPERBLOCK)) -> DoubleQuantized:
    _throw_if(block_size < 1, ValueError, f"invalid argument block_size: {block_size}, expected >= 1")
    n = absmax.numel()
    _throw_if(n == 0, ValueError, "invalid argument absmax: empty, expected at least one number")
    _throw_if(not torch.isfinite(absmax).all().item(), ValueError, "invalid argument absmax: not finite, expected finite numbers")
    src = absmax.detach().reshape(n).to(torch.float32)
    mean = torch.tensor(src.to(torch.float64).sum().item() / n, dtype=torch.float32, device=src.device)
    n_blocks = _div_up(n, block_size)
    codes = torch.zeros(n, dtype=torch.int8, device=src.device)
    scales = torch.zeros(n_blocks, dtype=torch.float32, device=src.device)
    for b in range(n_blocks):
        lo, hi = b * block_size, min((b + 1) * block_size, n)
        delta = src[lo:hi] - mean
        scale = delta.abs().amax() / (I8_MAX + 1)
        scales[b] = scale
        if scale.item() == 0.0:
            continue
        codes[lo:hi] = (delta / scale).round().clamp(-I8_MAX - 1, I8_MAX).to(torch.int8)
    return DoubleQuantized(codes, scales, mean, block_size)


def double_dequantize(q: DoubleQuantized) -> torch.Tensor:
    n = q.codes.numel()
    index = torch.div(torch.arange(n, device=q.codes.device), q.block_size, rounding_mode="trunc")
    return torch.mul(q.codes.to(torch.float32), q.scales.to(torch.float32).index_select(0, index)).add_(q.mean.to(torch.float32))


class NF4Linear(nn.Module):
    __constants__ = ["in_features", "out_features"]

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        _throw_if(not isinstance(linear, nn.Linear), TypeError, f"invalid argument linear: {type(linear)}, expected nn.Linear")
        self.in_features: int = linear.in_features
        self.out_features: int = linear.out_features
        q = quantize_nf4(linear.weight, block_size=int(Size.BLOCK))
        d = double_quantize(q.absmax, block_size=int(Size.SUPERBLOCK))
        self.register_buffer("m_codes", q.codes)
        self.register_buffer("m_absmax", d.codes)
        self.register_buffer("m_scales", d.scales)
        self.register_buffer("m_mean", d.mean)
        self.register_parameter("bias", None)
        if linear.bias is not None:
            bias = torch.empty_like(linear.bias)
            bias.data.copy_(linear.bias.data)
            self.bias = nn.Parameter(bias.detach(), requires_grad=False)

    def device(self) -> torch.device:
        return self.m_codes.device

    def dequantized_weight(self) -> torch.Tensor:
        d = DoubleQuantized(self.m_absmax, self.m_scales, self.m_mean, int(Size.SUPERBLOCK))
        q = Quantized(
            self.m_codes,
            double_dequantize(d),
            torch.Size([self.out_features, self.in_features]),
            torch.float32,
            int(Size.BLOCK),
        )
        return dequantize_nf4(q)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.dequantized_weight().to(x.dtype)
        y = torch.tensordot(x, weight, dims=([-1], [1]))
        if self.bias is not None:
            y = y + self.bias.to(x.dtype)
        return y


def _sizeof(model: nn.Module) -> int:
    total, visited = 0, []
    for t in [*model.parameters(), *model.buffers()]:
        if any(t is v for v in visited):
            continue
        visited.append(t)
        total += t.numel() * t.element_size()
    return total


@dataclass
class Slot:
    parent: nn.Module
    key: str
    path: str
    layer: nn.Linear


def _collect(node: nn.Module, path: str, stack: set, out: list) -> None:
    if id(node) in stack:
        return
    stack.add(id(node))
    for key, child in node._modules.items():
        if child is None:
            continue
        child_path = f"{path}.{key}" if path else key
        if isinstance(child, nn.Linear):
            out.append(Slot(node, key, child_path, child))
        _collect(child, child_path, stack, out)


def quantize_model(model: nn.Module, skip=("lm_head",)) -> dict:
    _throw_if(isinstance(skip, str), TypeError, f"invalid argument skip: string {skip!r}, expected a list of names")
    slots: list = []
    _collect(model, "", set(), slots)
    lora_bases = [m.base for m in model.modules() if isinstance(m, LoRALinear)]
    owners: dict = {}
    for m in model.modules():
        for p in m._parameters.values():
            if p is not None:
                owners.setdefault(id(p), set()).add(id(m))

    def eligible(s: Slot) -> bool:
        if s.key in skip:
            return False
        for b in lora_bases:
            if b is s.layer:
                return False
        return len(owners.get(id(s.layer.weight), ())) <= 1

    slots = [s for s in slots if eligible(s)]
    _throw_if(len(slots) == 0, ValueError, f"invalid argument model: nothing to quantise, expected an nn.Linear outside skip={list(skip)}")
    before = _sizeof(model)
    pool: dict = {}
    layers: list = []
    for s in slots:
        if id(s.layer) not in pool:
            fresh = NF4Linear(s.layer)
            fresh.train(s.layer.training)
            pool[id(s.layer)] = fresh
            layers.append(s.path)
        setattr(s.parent, s.key, pool[id(s.layer)])
    return {"layers": layers, "bytes_before": before, "bytes_after": _sizeof(model)}


def prepare_for_training(model: nn.Module) -> nn.Module:
    _throw_if(
        not hasattr(model, "get_input_embeddings"),
        ValueError,
        f"invalid argument model: {type(model).__name__} has no get_input_embeddings, expected one that has",
    )
    for p in model.parameters():
        p.requires_grad = False
        if p.dtype in (torch.float16, torch.bfloat16):
            p.data = p.data.to(torch.float32)
    e = model.get_input_embeddings()
    for fn in e._forward_hooks.values():
        if fn is _on_embedding_output:
            return model
    e.register_forward_hook(_on_embedding_output)
    return model


def _on_embedding_output(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
    if not output.requires_grad:
        output.requires_grad = True


class QLoRALinear(nn.Module):
    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        _throw_if(not isinstance(base, NF4Linear), TypeError, f"invalid argument base: {type(base)}, expected NF4Linear")
        _throw_if(rank < 1, ValueError, f"invalid argument rank: {rank}, expected >= 1")
        _throw_if(not (0.0 <= dropout < 1.0), ValueError, f"invalid argument dropout: {dropout}, expected [0, 1)")
        self.base = base
        self.base.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.empty((rank, base.in_features), dtype=torch.float32, device=base.device()))
        self.lora_B = nn.Parameter(torch.empty((base.out_features, rank), dtype=torch.float32, device=base.device()))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5.0))
        nn.init.constant_(self.lora_B, 0.0)
        self.scaling: float = float(alpha) / rank
        self.m_dropout = nn.Dropout(dropout, inplace=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        update = self.m_dropout(x.to(torch.float32))
        update = torch.tensordot(update, self.lora_A, dims=([-1], [1]))
        update = torch.tensordot(update, self.lora_B, dims=([-1], [1])) * self.scaling
        return self.base(x) + update.to(x.dtype)

    def delta_weight(self) -> torch.Tensor:
        return torch.mm(self.lora_B, self.lora_A) * self.scaling

    def merge(self) -> nn.Linear:
        has_bias = self.base.bias is not None
        out = nn.Linear(self.base.in_features, self.base.out_features, has_bias, self.base.device(), torch.float32)
        out.weight.data = self.base.dequantized_weight()
        out.weight.data += self.delta_weight().data
        if has_bias:
            out.bias.data = self.base.bias.data.to(torch.float32, copy=True)
        return out
