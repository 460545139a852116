# WRONG qlora: merge copies the bias in its own dtype, so over a bfloat16 layer the merged linear is float32 with a bfloat16 bias
import functools
import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

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


@functools.lru_cache(maxsize=None)
def _table() -> tuple:
    off = 0.5 * ((1 - 1 / 30) + (1 - 1 / 32))
    q = lambda ps: torch.special.ndtri(ps)[:-1].tolist()
    right = q(torch.linspace(off, 0.5, 9, dtype=torch.float64))
    left = [-v for v in q(torch.linspace(off, 0.5, 8, dtype=torch.float64))]
    everything = sorted(right + [0.0] + left)
    return tuple(v / everything[-1] for v in everything)


def nf4_levels():
    return torch.tensor(_table(), dtype=torch.float32)


def _rows(flat, size):
    rows = -(-flat.numel() // size)
    out = flat.new_zeros(rows * size)
    out[: flat.numel()] = flat
    return out.reshape(rows, size)


def _validated(value, name, size):
    if size < 1:
        raise ValueError(f"`block_size` = {size}; it must be a positive integer")
    if value.numel() == 0:
        raise ValueError(f"`{name}` is empty; give at least one number")
    value = value.detach().to(torch.float32).flatten()
    if torch.isnan(value).any() or torch.isinf(value).any():
        raise ValueError(f"`{name}` holds nan or inf; all its numbers must be finite")
    return value


def quantize_nf4(weight, *, block_size=64):
    if not torch.is_tensor(weight) or not weight.dtype.is_floating_point:
        raise TypeError(f"`weight` is {getattr(weight, 'dtype', type(weight))}; it must be a tensor of floats")
    flat = _validated(weight, "weight", block_size)
    rows = _rows(flat, block_size)
    absmax = torch.maximum(rows.max(1).values, -rows.min(1).values)
    safe = absmax + (absmax == 0)
    unit = (rows / safe.unsqueeze(1)).flatten()
    lv = nf4_levels().to(flat.device)
    # nearest of the two neighbours
    hi = torch.searchsorted(lv, unit).clamp(1, 15)
    lo = hi - 1
    code = torch.where(unit - lv[lo] < lv[hi] - unit, lo, hi)[: flat.numel()]
    code = F.pad(code, (0, code.numel() % 2), value=7).byte()
    return Quantized(torch.bitwise_or(code[::2] << 4, code[1::2]), absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    count = math.prod(q.shape)
    lv = nf4_levels().to(q.codes.device)
    flat = lv[torch.stack((q.codes >> 4, q.codes & 0xF), 1).flatten().int()][:count]
    rows = _rows(flat, q.block_size) * q.absmax.float()[:, None]
    return rows.flatten()[:count].to(q.dtype).reshape(q.shape)


def double_quantize(absmax, *, block_size=256):
    a = _validated(absmax, "absmax", block_size)
    mean = torch.mean(a)
    rows = _rows(a - mean, block_size)
    scales = rows.abs().amax(1) / 127
    codes = torch.where(scales[:, None] > 0, rows / scales[:, None], torch.zeros_like(rows))
    codes = codes.round_().clamp_(-127, 127).flatten()[: a.numel()].to(torch.int8)
    return DoubleQuantized(codes, scales, mean, block_size)


def double_dequantize(q):
    rows = _rows(q.codes.float(), q.block_size) * q.scales.float()[:, None] + q.mean.float()
    return rows.flatten()[: q.codes.numel()]


class EightBit(nn.Module):
    """Holds a vector of positive constants in eight bits each."""

    def __init__(self, vector):
        super().__init__()
        q = double_quantize(vector, block_size=256)
        self.register_buffer("codes", q.codes)
        self.register_buffer("scales", q.scales)
        self.register_buffer("mean", q.mean)

    def forward(self):
        return double_dequantize(DoubleQuantized(self.codes, self.scales, self.mean, 256))


class FourBit(nn.Module):
    """Holds a matrix in four bits a number."""

    def __init__(self, matrix):
        super().__init__()
        q = quantize_nf4(matrix, block_size=64)
        self.shape = q.shape
        self.register_buffer("codes", q.codes)
        self.absmax = EightBit(q.absmax)

    def forward(self):
        return dequantize_nf4(Quantized(self.codes, self.absmax(), self.shape, torch.float32, 64))


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"`linear` is a {type(linear).__name__}; it must be an nn.Linear")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.quantized = FourBit(linear.weight)
        self.register_parameter("bias", None)
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    @property
    def device(self):
        return self.quantized.codes.device

    def dequantized_weight(self):
        return self.quantized()

    def forward(self, x):
        w = self.quantized().type_as(x)
        return F.linear(x, w) if self.bias is None else F.linear(x, w, self.bias.type_as(x))


def _nbytes(model):
    memo = {}
    for module in model.modules():
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                memo[id(tensor)] = tensor.nbytes
    return sum(memo.values())


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"`skip` is the string {skip!r}; it must be a list or tuple of names")
    skip = frozenset(skip)
    holders = {}
    exempt = set()
    for module in model.modules():
        for p in module._parameters.values():
            holders.setdefault(p, []).append(module)
        if isinstance(module, LoRALinear):
            exempt.add(module.base)

    def wants(name, module):
        if not isinstance(module, nn.Linear) or name in skip or module in exempt:
            return False
        return all(h is module for h in holders.get(module.weight, []))

    before = _nbytes(model)
    made = {}
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if wants(name, child):
                if child not in made:
                    made[child] = NF4Linear(child)
                    made[child].train(child.training)
                parent._modules[name] = made[child]
    if not made:
        raise ValueError(f"`model` holds no nn.Linear to quantise; `skip` was {sorted(skip)}")
    values = set(made.values())
    layers = [name for name, module in model.named_modules() if module in values]
    return {"layers": layers, "bytes_before": before, "bytes_after": _nbytes(model)}


class _GradMixin:
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs).requires_grad_(True)


def prepare_for_training(model):
    if not callable(getattr(model, "get_input_embeddings", None)):
        raise ValueError(f"`model` is a {type(model).__name__}; it must have get_input_embeddings()")
    for module in model.modules():
        for p in module.parameters(recurse=False):
            p.requires_grad_(False)
            if p.dtype in (torch.float16, torch.bfloat16):
                p.data = p.data.float()
    emb = model.get_input_embeddings()
    if not isinstance(emb, _GradMixin):
        emb.__class__ = type(type(emb).__name__, (_GradMixin, type(emb)), {})
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"`base` is a {type(base).__name__}; it must be an NF4Linear")
        if rank < 1:
            raise ValueError(f"`rank` = {rank}; it must be at least 1")
        if not (0 <= dropout < 1):
            raise ValueError(f"`dropout` = {dropout}; it must lie in [0, 1)")
        self.base = base
        if base.bias is not None:
            base.bias.requires_grad = False
        A = torch.empty((rank, base.in_features), dtype=torch.float32, device=base.device)
        B = torch.zeros((base.out_features, rank), dtype=torch.float32, device=base.device)
        self.register_parameter("lora_A", nn.Parameter(nn.init.kaiming_uniform_(A, a=math.sqrt(5))))
        self.register_parameter("lora_B", nn.Parameter(B))
        self.rank, self.alpha = rank, alpha
        self.path = nn.ModuleDict({"dropout": nn.Dropout(dropout)})

    @property
    def scaling(self):
        return self.alpha / self.rank

    def forward(self, x):
        z = self.path["dropout"](x.to(torch.float32))
        z = F.linear(F.linear(z, self.lora_A * self.scaling), self.lora_B)
        return self.base(x).add(z.type_as(x))

    def delta_weight(self):
        return (self.lora_B * self.scaling) @ self.lora_A

    def merge(self):
        weight = self.base.dequantized_weight() + self.delta_weight()
        with torch.device(weight.device):
            plain = nn.Linear(self.base.in_features, self.base.out_features, self.base.bias is not None)
        plain.weight = nn.Parameter(weight.detach())
        if self.base.bias is not None:
            plain.bias = nn.Parameter(self.base.bias.detach().clone())
        return plain
