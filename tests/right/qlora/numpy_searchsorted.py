# RIGHT qlora: all codec arithmetic in numpy (statistics.NormalDist, searchsorted, reduceat), torch only at the edges
import math
import statistics
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import solutions.lora as lora


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


def _levels_np():
    nd = statistics.NormalDist()
    off = 1 - (1 / 30 + 1 / 32) / 2
    v = [nd.inv_cdf(p) for p in np.linspace(off, 0.5, 9)[:-1]]
    v.append(0.0)
    v.extend(-nd.inv_cdf(p) for p in np.linspace(off, 0.5, 8)[:-1])
    v = np.sort(np.asarray(v, dtype=np.float64))
    return (v / v[-1]).astype(np.float32)


def nf4_levels() -> torch.Tensor:
    return torch.from_numpy(_levels_np())


def _np(t):
    """Any float tensor -> float32 array on the CPU (numpy knows no bfloat16)."""
    return t.detach().cpu().to(torch.float32).numpy().ravel()


def _starts(n, block):
    return np.arange(0, n, block)


def quantize_nf4(weight, *, block_size=64):
    if not isinstance(weight, torch.Tensor) or not weight.dtype.is_floating_point:
        raise TypeError("weight: expected floating point torch.Tensor, got %s" % getattr(weight, "dtype", type(weight)))
    if block_size < 1:
        raise ValueError("block_size: expected >= 1, got %r" % (block_size,))
    if weight.numel() == 0:
        raise ValueError("weight: expected at least one number, got shape %s" % (tuple(weight.shape),))
    w = _np(weight)
    if not np.isfinite(w).all():
        raise ValueError("weight: expected finite numbers, got %d that are not" % int((~np.isfinite(w)).sum()))
    starts = _starts(w.size, block_size)
    absmax = np.maximum.reduceat(np.abs(w), starts)
    div = np.where(absmax > 0, absmax, np.float32(1))
    u = w / np.repeat(div, np.diff(np.append(starts, w.size)))
    lv = _levels_np()
    c = np.searchsorted((lv[:-1].astype(np.float64) + lv[1:]) / 2, u).astype(np.uint8)
    if c.size & 1:
        c = np.append(c, np.uint8(7))
    pairs = c.reshape(-1, 2)
    packed = np.left_shift(pairs[:, 0], 4) + pairs[:, 1]
    d = weight.device
    return Quantized(
        torch.from_numpy(packed.astype(np.uint8)).to(d),
        torch.from_numpy(absmax.astype(np.float32)).to(d),
        weight.shape,
        weight.dtype,
        block_size,
    )


def dequantize_nf4(q):
    c = q.codes.detach().cpu().numpy()
    n = int(np.prod(q.shape, dtype=np.int64))
    nibbles = np.empty(2 * c.size, dtype=np.uint8)
    nibbles[0::2] = c >> 4
    nibbles[1::2] = c & 0x0F
    values = np.take(_levels_np(), nibbles[:n])
    values = values * np.repeat(_np(q.absmax), q.block_size)[:n]
    return torch.from_numpy(values.reshape(tuple(q.shape))).to(device=q.codes.device, dtype=q.dtype)


def double_quantize(absmax, *, block_size=256):
    if block_size < 1:
        raise ValueError("block_size: expected >= 1, got %r" % (block_size,))
    a = _np(absmax)
    if a.size == 0:
        raise ValueError("absmax: expected at least one number, got none")
    if not np.isfinite(a).all():
        raise ValueError("absmax: expected finite numbers, got NaN or inf")
    mean = np.float32(a.mean(dtype=np.float64))
    x = a - mean
    starts = _starts(x.size, block_size)
    scales = (np.maximum.reduceat(np.abs(x), starts) / np.float32(127)).astype(np.float32)
    per = np.repeat(scales, block_size)[: x.size]
    c = np.zeros_like(x)
    np.divide(x, per, out=c, where=per > 0)
    c = np.clip(np.rint(c), -127, 127).astype(np.int8)
    d = absmax.device
    return DoubleQuantized(
        torch.from_numpy(c).to(d), torch.from_numpy(scales).to(d), torch.tensor(float(mean), dtype=torch.float32, device=d), block_size
    )


def double_dequantize(q):
    per = np.repeat(_np(q.scales), q.block_size)[: q.codes.numel()]
    out = q.codes.detach().cpu().numpy().astype(np.float32) * per + _np(q.mean)
    return torch.from_numpy(np.maximum(out, 0)).to(q.codes.device)


class NF4Linear(nn.Module):
    def __init__(self, linear):
        if not isinstance(linear, nn.Linear):
            raise TypeError("linear: expected nn.Linear, got %s" % type(linear).__name__)
        super().__init__()
        self.out_features, self.in_features = linear.weight.shape
        q = quantize_nf4(linear.weight)
        dq = double_quantize(q.absmax)
        for name, t in dict(q=q.codes, c=dq.codes, s=dq.scales, m=dq.mean).items():
            self.register_buffer(name, t)
        if linear.bias is not None:
            self.register_parameter("bias", nn.Parameter(linear.bias.detach().clone(), requires_grad=False))
        else:
            self.register_parameter("bias", None)

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.c, self.s, self.m, 256))
        return dequantize_nf4(
            Quantized(self.q, absmax, torch.Size([self.out_features, self.in_features]), torch.float32, 64)
        )

    def forward(self, x):
        y = x @ self.dequantized_weight().to(x.dtype).T
        return y if self.bias is None else y + self.bias.to(x.dtype)


def _nbytes(model):
    tensors = {id(t): t for gen in (model.parameters(), model.buffers()) for t in gen}
    return int(sum(t.nbytes for t in tensors.values()))


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError("skip: expected a list of names, got the string %r" % skip)
    skip = set(skip)
    everything = list(model.modules())
    banned = {id(m.base) for m in everything if isinstance(m, lora.LoRALinear)}
    uses = {}
    for m in everything:
        for p in {id(p) for p in m.parameters(recurse=False)}:
            uses[p] = uses.get(p, 0) + 1
    chosen = {}  # id -> (name, module)
    sites = []
    for path, m in model.named_modules(remove_duplicate=False):
        if not path or not isinstance(m, nn.Linear):
            continue
        if path.split(".")[-1] in skip or id(m) in banned or uses.get(id(m.weight), 0) > 1:
            continue
        chosen.setdefault(id(m), (path, m))
        sites.append((path, id(m)))
    if not chosen:
        raise ValueError("model: expected an nn.Linear outside skip=%s, got none" % sorted(skip))
    before = _nbytes(model)
    fresh = {k: NF4Linear(m).train(m.training) for k, (_, m) in chosen.items()}
    for path, k in sites:
        *head, tail = path.split(".")
        parent = model
        for h in head:
            parent = getattr(parent, h)
        setattr(parent, tail, fresh[k])
    return {"layers": [path for path, _ in chosen.values()], "bytes_before": before, "bytes_after": _nbytes(model)}


class _RequireGrad:
    """A callable hook object; found again by its class."""

    def __call__(self, module, args, output):
        output.requires_grad_()


def prepare_for_training(model):
    getter = getattr(model, "get_input_embeddings", None)
    if getter is None:
        raise ValueError("model: expected one with get_input_embeddings(), got %s without" % type(model).__name__)
    emb = getter()
    model.requires_grad_(False)
    for p in model.parameters():
        if p.dtype in {torch.float16, torch.bfloat16}:
            p.data = p.data.to(torch.float32)
    if not any(isinstance(h, _RequireGrad) for h in emb._forward_hooks.values()):
        emb.register_forward_hook(_RequireGrad())
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if not isinstance(base, NF4Linear):
            raise TypeError("base: expected NF4Linear, got %s" % type(base).__name__)
        if rank < 1:
            raise ValueError("rank: expected >= 1, got %r" % (rank,))
        if not (0 <= dropout < 1):
            raise ValueError("dropout: expected in [0, 1), got %r" % (dropout,))
        super().__init__()
        self.base = base
        base.requires_grad_(False)
        limit = math.sqrt(6 / ((1 + 5) * base.in_features))
        a = torch.empty(rank, base.in_features, dtype=torch.float32).uniform_(-limit, limit)
        self.lora_A = nn.Parameter(a.to(base.q.device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=base.q.device))
        self.scaling = alpha / rank
        self.drop = nn.Dropout(p=dropout) if dropout else nn.Identity()

    def forward(self, x):
        h = self.drop(x.to(torch.float32))
        h = (h @ self.lora_A.T) * self.scaling
        return self.base(x) + (h @ self.lora_B.T).to(x.dtype)

    def delta_weight(self):
        return torch.matmul(self.lora_B, self.lora_A).mul(self.scaling)

    def merge(self):
        b = self.base
        with torch.no_grad():
            w = b.dequantized_weight() + self.delta_weight()
            new = nn.Linear(b.in_features, b.out_features, bias=b.bias is not None, dtype=torch.float32, device=w.device)
            new.load_state_dict({"weight": w, **({} if b.bias is None else {"bias": b.bias.float()})})
        return new
