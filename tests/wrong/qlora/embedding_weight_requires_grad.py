# WRONG qlora: prepare_for_training makes the weight of the input embeddings trainable instead of making their output require a gradient
import math
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


def nf4_levels():
    offset = 1 - (1 / 30 + 1 / 32) / 2
    icdf = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)).icdf
    v1 = icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1]).tolist()
    v2 = [0]
    v3 = (-icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])).tolist()
    values = torch.tensor(v1 + v2 + v3, dtype=torch.float64).sort().values
    values /= values.max().item()
    return values.float()


def _finite_floats(t, what, block_size):
    if block_size < 1:
        raise ValueError(f"{what}: block_size {block_size} is not allowed, only 1, 2, 3, ...")
    if not t.numel():
        raise ValueError(f"{what} is empty, which is not allowed")
    t = t.detach().contiguous().view(-1).to(torch.float32)
    if not (t.abs() < math.inf).all():
        raise ValueError(f"{what} has infinite or NaN numbers, only finite ones are allowed")
    return t


@torch.no_grad()
def quantize_nf4(weight, *, block_size=64):
    if not torch.is_tensor(weight) or not weight.is_floating_point():
        raise TypeError(f"weight of type {getattr(weight, 'dtype', type(weight))} is not allowed, only floating tensors")
    t = _finite_floats(weight, "weight", block_size)
    n = t.numel()
    table = nf4_levels().to(t.device)
    absmax, code = t.new_zeros(-(-n // block_size)), torch.full((n + n % 2,), 7, dtype=torch.uint8, device=t.device)
    full = n - n % block_size
    pieces = [(slice(0, full), slice(0, full // block_size), (-1, block_size))] if full else []
    if full < n:
        pieces.append((slice(full, n), slice(full // block_size, None), (1, -1)))
    for where, which, shape in pieces:
        block = t[where].view(*shape)
        top = block.abs().amax(1, keepdim=True)
        absmax[which] = top.squeeze(1)
        top[top == 0] = math.inf  # 0 / inf = 0
        above = (block / top).unsqueeze(-1) > (table[1:] + table[:-1]).div(2)
        code[where] = above.sum(-1, dtype=torch.uint8).flatten()
    return Quantized(code[0::2].bitwise_left_shift(4).bitwise_or(code[1::2]), absmax, weight.shape, weight.dtype, block_size)


@torch.no_grad()
def dequantize_nf4(q):
    n = math.prod(q.shape)
    code = torch.empty(2 * q.codes.numel(), dtype=torch.long, device=q.codes.device)
    code[0::2] = q.codes.long() // 16
    code[1::2] = q.codes.long() % 16
    value = nf4_levels().to(q.codes.device)[code[:n]]
    scale = torch.kron(q.absmax.float(), torch.ones(q.block_size, dtype=torch.float32, device=q.codes.device))[:n]
    return (value * scale).reshape(q.shape).to(q.dtype)


@torch.no_grad()
def double_quantize(absmax, *, block_size=256):
    t = _finite_floats(absmax, "absmax", block_size)
    mean = t.mean()
    d = t - mean
    scales = torch.stack([b.abs().max() for b in torch.split(d, block_size)]) / 127
    per = torch.kron(scales, torch.ones(block_size, dtype=torch.float32, device=t.device))[: t.numel()]
    codes = torch.where(per > 0, d / per, torch.zeros_like(d)).round().clamp(-127, 127)
    return DoubleQuantized(codes.to(torch.int8), scales, mean, block_size)


@torch.no_grad()
def double_dequantize(q):
    per = torch.kron(q.scales.float(), torch.ones(q.block_size, dtype=torch.float32, device=q.codes.device))
    return per[: q.codes.numel()] * q.codes + q.mean.float()


class NF4Linear(nn.Linear):
    def __init__(self, linear):
        if not isinstance(linear, nn.Linear) or isinstance(linear, NF4Linear):
            raise TypeError(f"linear: {type(linear).__name__} is not allowed, only a full-precision nn.Linear")
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        q = quantize_nf4(linear.weight)
        d = double_quantize(q.absmax)
        self.register_parameter("weight", None)
        bias = linear.bias
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False))
        self.register_buffer("qweight", q.codes)
        self.register_buffer("qabsmax", d.codes)
        self.register_buffer("qscales", d.scales)
        self.register_buffer("qmean", d.mean)

    def reset_parameters(self):
        pass

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.qabsmax, self.qscales, self.qmean, 256))
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.qweight, absmax, shape, torch.float32, 64))

    def forward(self, x):
        return F.linear(x, self.dequantized_weight().to(x.dtype), self.bias.to(x.dtype) if self.bias is not None else None)


def _footprint(model):
    seen = {}
    for t in (*model.parameters(), *model.buffers()):
        seen[id(t)] = t.numel() * t.element_size()
    return sum(seen.values())


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"skip: the string {skip!r} is not allowed, only a list of names")
    bases = [m.base for m in model.modules() if isinstance(m, LoRALinear)]

    def suits(m):
        if not isinstance(m, nn.Linear) or isinstance(m, NF4Linear) or any(m is b for b in bases):
            return False
        for other in model.modules():
            if other is not m and any(p is m.weight for p in other._parameters.values()):
                return False
        return True

    places = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if n and n.split(".")[-1] not in skip and suits(m)]
    if not places:
        raise ValueError(f"model: {type(model).__name__} has no nn.Linear to quantise outside skip={list(skip)}")
    before = _footprint(model)
    new = {m: NF4Linear(m).train(m.training) for _, m in places}
    layers = []
    for n, m in places:
        path, _, key = n.rpartition(".")
        setattr(model.get_submodule(path), key, new[m])
        if all(m is not other for other in layers):
            layers.append(m)
    names = {m: n for n, m in reversed(places)}
    return {"layers": [names[m] for m in layers], "bytes_before": before, "bytes_after": _footprint(model)}


class _Hook:
    @staticmethod
    def run(module, inputs, output):
        output.requires_grad_(True)


def prepare_for_training(model):
    if "get_input_embeddings" not in dir(model):
        raise ValueError(f"model: {type(model).__name__} without get_input_embeddings() is not allowed")
    for p in model.parameters():
        p.requires_grad_(False)
        if p.dtype in (torch.float16, torch.bfloat16):
            p.data = p.data.float()
    emb = model.get_input_embeddings()
    for p in emb.parameters():
        p.requires_grad_(True)
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base: {type(base).__name__} is not allowed, only NF4Linear")
        if rank < 1:
            raise ValueError(f"rank: {rank} is not allowed, only 1, 2, 3, ...")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: {dropout} is not allowed, only [0, 1)")
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=base.qweight.device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=base.qweight.device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x):
        low = F.linear(self.dropout(x.float()), self.lora_A)
        return self.base(x) + F.linear(low, self.lora_B).mul(self.scaling).to(x.dtype)

    def delta_weight(self):
        return self.lora_B.matmul(self.lora_A).mul(self.scaling)

    def merge(self):
        b = self.base
        plain = nn.Linear(b.in_features, b.out_features, b.bias is not None, b.qweight.device, torch.float32)
        with torch.no_grad():
            plain.weight.copy_(b.dequantized_weight() + self.delta_weight())
            if b.bias is not None:
                plain.bias.copy_(b.bias)
        return plain
