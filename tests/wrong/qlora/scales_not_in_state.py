# WRONG qlora: the scales and the mean of the constants are plain attributes, not buffers, and so missing from the state dict
import math
import warnings
from dataclasses import dataclass
from typing import List

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


def _script(fn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(fn)


@_script
def _encode(flat: torch.Tensor, absmax: torch.Tensor, levels: torch.Tensor, block_size: int) -> torch.Tensor:
    n = flat.numel()
    d = torch.where(absmax > 0, absmax, torch.ones_like(absmax))
    d = d.repeat_interleave(block_size)[:n]
    u = flat / d
    code = torch.zeros(n + n % 2, dtype=torch.uint8, device=flat.device)
    if n % 2 == 1:
        code[n] = 7
    for i in range(15):
        mid = (levels[i] + levels[i + 1]) / 2
        code[:n] += (u > mid).to(torch.uint8)
    two = code.view(-1, 2)
    return two[:, 0].bitwise_left_shift(4).bitwise_or(two[:, 1])


@_script
def _decode(codes: torch.Tensor, absmax: torch.Tensor, pairs: torch.Tensor, n: int, block_size: int) -> torch.Tensor:
    values = pairs[codes.to(torch.int64)].flatten()[:n]
    pad = absmax.numel() * block_size - n
    values = torch.nn.functional.pad(values, [0, pad])
    values = values.view(absmax.numel(), block_size) * absmax.unsqueeze(1)
    return values.flatten()[:n]


def nf4_levels():
    offset = 1 - (1 / 30 + 1 / 32) / 2

    def quantile(p):  # sqrt(2) erfinv(2 p - 1)
        return math.sqrt(2) * torch.erfinv(2 * p - 1)

    pos = quantile(torch.linspace(offset, 0.5, 9, dtype=torch.double)[:-1])
    neg = -quantile(torch.linspace(offset, 0.5, 8, dtype=torch.double)[:-1])
    both = torch.cat([pos, neg, torch.zeros(1, dtype=torch.double)])
    both = both[both.argsort()]
    return (both / both[-1]).to(torch.float)


def _byte_table(device):
    lv = nf4_levels().to(device)
    byte = torch.arange(256, device=device)
    return torch.stack([lv[byte // 16], lv[byte % 16]], 1)


def _check(name, t, block_size):
    if block_size < 1:
        raise ValueError(f"bad block_size {block_size}: has to be 1 or more")
    if t.numel() == 0:
        raise ValueError(f"bad {name}: it is empty, one number is the least")
    if not t.float().isfinite().all():
        raise ValueError(f"bad {name}: nan or inf inside, only finite numbers go")


def quantize_nf4(weight, *, block_size=64):
    if not isinstance(weight, torch.Tensor):
        raise TypeError(f"bad weight: a tensor is needed, not {type(weight)}")
    if not weight.is_floating_point():
        raise TypeError(f"bad weight: dtype {weight.dtype}, has to be floating")
    _check("weight", weight, block_size)
    flat = weight.detach().flatten().to(torch.float32)
    absmax = torch.stack([b.abs().max() for b in flat.split(block_size)])
    codes = _encode(flat, absmax, nf4_levels().to(flat.device), block_size)
    return Quantized(codes, absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    n = math.prod(q.shape)
    flat = _decode(q.codes, q.absmax.float(), _byte_table(q.codes.device), n, q.block_size)
    return flat.to(q.dtype).reshape(q.shape)


def double_quantize(absmax, *, block_size=256):
    _check("absmax", absmax, block_size)
    a = absmax.detach().flatten().float()
    m = a.double().mean().float()
    x = a - m
    out: List[torch.Tensor] = []
    scales: List[torch.Tensor] = []
    for b in x.split(block_size):
        s = b.abs().max() / 127
        scales.append(s)
        r = torch.nan_to_num(b / s, nan=0.0, posinf=0.0, neginf=0.0)
        out.append(r.round().clamp(-127, 127).char())
    return DoubleQuantized(torch.cat(out), torch.stack(scales), m, block_size)


def double_dequantize(q):
    return torch.cat(
        [c.float() * s.float() + q.mean.float() for c, s in zip(q.codes.split(q.block_size), q.scales)]
    ).clamp_min(0)


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"bad linear: an nn.Linear is needed, not {type(linear)}")
        q = quantize_nf4(linear.weight, block_size=64)
        dq = double_quantize(q.absmax, block_size=256)
        self.register_buffer("codes", q.codes)
        self.register_buffer("dq_codes", dq.codes)
        self.dq_scales = dq.scales
        self.dq_mean = dq.mean
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone())
            self.bias.requires_grad_(False)

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.dq_codes, self.dq_scales, self.dq_mean, 256))
        q = Quantized(self.codes, absmax, torch.Size([self.out_features, self.in_features]), torch.float32, 64)
        return dequantize_nf4(q)

    def forward(self, x):
        w = self.dequantized_weight().to(x.dtype)
        if self.bias is None:
            return torch.matmul(x, w.t())
        return torch.matmul(x, w.t()) + self.bias.to(x.dtype)


def _bytes(model):
    tensors = []
    for t in list(model.parameters()) + list(model.buffers()):
        if not any(t is u for u in tensors):
            tensors.append(t)
    return sum(t.numel() * t.element_size() for t in tensors)


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"bad skip: {skip!r} is a string, a list of names is needed")
    before = _bytes(model)
    forbidden = set()
    owner = {}
    for m in model.modules():
        if isinstance(m, LoRALinear):
            forbidden.add(m.base)
        for p in m._parameters.values():
            if p is None:
                continue
            if p in owner and owner[p] is not m:
                forbidden |= {k for k in (m, owner[p]) if isinstance(k, nn.Linear) and k.weight is p}
            owner[p] = m
    swap = {}
    names = []

    def visit(module, path, seen):
        if module in seen:
            return
        seen.add(module)
        for key, child in list(module._modules.items()):
            if child is None:
                continue
            full = path + [key]
            if isinstance(child, nn.Linear) and key not in skip and child not in forbidden:
                if child not in swap:
                    swap[child] = NF4Linear(child)
                    swap[child].train(child.training)
                    names.append(".".join(full))
                setattr(module, key, swap[child])
            else:
                visit(child, full, seen)

    visit(model, [], set())
    if not names:
        raise ValueError(f"bad model: no nn.Linear left to quantise (skip = {list(skip)})")
    return {"layers": names, "bytes_before": before, "bytes_after": _bytes(model)}


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"bad model: {type(model).__name__} has no get_input_embeddings(), it has to")
    emb = model.get_input_embeddings()
    for p in model.parameters():
        p.requires_grad = False
        if p.dtype in (torch.half, torch.bfloat16):
            p.data = p.data.float()
    if not hasattr(emb, "grad_handle"):
        emb.grad_handle = True
        emb.register_forward_hook(lambda module, args, out: out.requires_grad_(True))
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"bad base: an NF4Linear is needed, not {type(base)}")
        if rank < 1:
            raise ValueError(f"bad rank {rank}: has to be 1 or more")
        if not 0 <= dropout < 1:
            raise ValueError(f"bad dropout {dropout}: has to be in [0, 1)")
        self.base = base
        base.requires_grad_(False)
        self.scaling = alpha / rank
        self.lora_A = nn.Parameter(base.dq_scales.new_empty((rank, base.in_features), dtype=torch.float32))
        self.lora_B = nn.Parameter(base.dq_scales.new_zeros((base.out_features, rank), dtype=torch.float32))
        nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        y = self.base(x)
        z = self.dropout(x.float()) @ self.delta_weight().t()
        return y + z.to(x.dtype)

    def delta_weight(self):
        return torch.mm(self.lora_B, self.lora_A) * self.scaling

    def merge(self):
        has_bias = self.base.bias is not None
        lin = nn.Linear(self.base.in_features, self.base.out_features, bias=has_bias, dtype=torch.float32)
        lin = lin.to(self.base.codes.device)
        with torch.no_grad():
            lin.weight.copy_(self.base.dequantized_weight()).add_(self.delta_weight())
            if has_bias:
                lin.bias.copy_(self.base.bias)
        return lin
