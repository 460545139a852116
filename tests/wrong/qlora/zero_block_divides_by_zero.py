# WRONG qlora: a block of zeros is divided by its absmax 0; the NaN gets the code 0 (comparisons are false), not 7
import math
from dataclasses import dataclass
from functools import partial

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
    half = lambda n: torch.special.ndtri(torch.linspace(offset, 0.5, n + 1, dtype=torch.float64)[:n])
    raw = torch.cat([-half(7), torch.tensor([0.0], dtype=torch.float64), half(8).flip(-1)])
    return (raw / raw[-1]).to(torch.float32)


def byte_table(levels):
    """(256, 2): the two levels that a byte stands for."""
    return torch.cartesian_prod(levels, levels)


def checked(name):
    def check(tensor, block_size):
        if block_size < 1:
            raise ValueError(f"block_size should be >= 1 but {block_size} was passed")
        if tensor.numel() == 0:
            raise ValueError(f"{name} should not be empty but a tensor of shape {tuple(tensor.shape)} was passed")
        flat = tensor.detach().to(torch.float32).reshape(-1)
        if not torch.isfinite(flat).all():
            raise ValueError(f"{name} should be finite but nan or inf was passed")
        return flat

    return check


check_weight, check_absmax = checked("weight"), checked("absmax")


def blockwise(size):
    """(to rows, back from rows of n numbers)"""

    def rows(flat):
        return F.pad(flat[None], (0, -flat.numel() % size)).view(-1, size)

    def back(matrix, n):
        return matrix.reshape(-1)[:n]

    return rows, back


def quantize_nf4(weight, *, block_size=64):
    if not isinstance(weight, torch.Tensor) or not torch.is_floating_point(weight):
        raise TypeError(f"weight should be a floating tensor but {getattr(weight, 'dtype', type(weight))} was passed")
    flat = check_weight(weight, block_size)
    rows, back = blockwise(block_size)
    matrix = rows(flat)
    absmax = torch.linalg.vector_norm(matrix, ord=float("inf"), dim=1)
    unit = back(matrix / absmax[:, None], flat.numel())
    levels = nf4_levels().to(flat.device)
    edges = (levels[1:] + levels[:-1]) / 2
    index = (unit[:, None] >= edges).sum(1)
    index = torch.cat([index, index.new_full((index.numel() % 2,), 7)])
    return Quantized(
        codes=(index[::2] * 16 + index[1::2]).to(torch.uint8),
        absmax=absmax,
        shape=weight.shape,
        dtype=weight.dtype,
        block_size=block_size,
    )


def _decode(q, table):
    n = math.prod(q.shape)
    rows, back = blockwise(q.block_size)
    values = F.embedding(q.codes.long(), table).reshape(-1)[:n]
    return back(rows(values) * q.absmax.to(torch.float32)[:, None], n).to(q.dtype).reshape(q.shape)


def dequantize_nf4(q):
    return _decode(q, byte_table(nf4_levels().to(q.codes.device)))


def double_quantize(absmax, *, block_size=256):
    flat = check_absmax(absmax, block_size)
    rows, back = blockwise(block_size)
    mean = flat.mean()
    matrix = rows(flat - mean)
    scales = torch.linalg.vector_norm(matrix, ord=float("inf"), dim=1) / 127
    codes = torch.where(scales[:, None] == 0, 0.0, matrix / scales[:, None]).round().clamp(-127, 127)
    return DoubleQuantized(back(codes.to(torch.int8), flat.numel()).clone(), scales, mean, block_size)


def double_dequantize(q):
    rows, back = blockwise(q.block_size)
    return back(rows(q.codes.to(torch.float32)) * q.scales.to(torch.float32)[:, None], q.codes.numel()) + q.mean.to(torch.float32)


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear should be an nn.Linear but a {type(linear).__name__} was passed")
        self.out_features, self.in_features = linear.out_features, linear.in_features
        q = quantize_nf4(linear.weight)
        d = double_quantize(q.absmax)
        self.register_buffer("codes", q.codes)
        self.register_buffer("constants", d.codes)
        self.register_buffer("scales", d.scales)
        self.register_buffer("mean", d.mean)
        self.register_buffer("levels", nf4_levels().to(q.codes.device), persistent=False)
        self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False) if linear.bias is not None else None

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.constants, self.scales, self.mean, 256))
        shape = torch.Size([self.out_features, self.in_features])
        return _decode(Quantized(self.codes, absmax, shape, torch.float32, 64), byte_table(self.levels.float()))

    def forward(self, x):
        cast = partial(torch.Tensor.to, dtype=x.dtype)
        return F.linear(x, cast(self.dequantized_weight()), None if self.bias is None else cast(self.bias))


def measure(model):
    return lambda: sum({id(t): t.numel() * t.element_size() for t in [*model.parameters(), *model.buffers()]}.values())


def chooser(model, skip):
    kept = {id(m.base) for m in model.modules() if isinstance(m, LoRALinear)}
    pairs = {(id(p), id(m)) for m in model.modules() for p in m.parameters(recurse=False)}
    uses = {}
    for p, _ in pairs:
        uses[p] = uses.get(p, 0) + 1

    def choose(name, module):
        return (
            name != ""
            and isinstance(module, nn.Linear)
            and name.split(".")[-1] not in skip
            and id(module) not in kept
            and uses.get(id(module.weight), 1) == 1
        )

    return choose


def replacer(model):
    made = {}

    def put(name, module):
        fresh = id(module) not in made
        if fresh:
            made[id(module)] = (module, NF4Linear(module).train(module.training))
        parent, _, key = name.rpartition(".")
        setattr(model.get_submodule(parent), key, made[id(module)][1])
        return fresh

    return put


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"skip should be a list of names but the string {skip!r} was passed")
    weigh, choose, put = measure(model), chooser(model, list(skip)), replacer(model)
    before = weigh()
    places = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if choose(n, m)]
    if not places:
        raise ValueError(f"model should have an nn.Linear outside skip={list(skip)} but {type(model).__name__} has none")
    layers = [name for name, module in places if put(name, module)]
    return {"layers": layers, "bytes_before": before, "bytes_after": weigh()}


def gradient_hook():
    def hook(module, args, output):
        return output.requires_grad_()

    hook.is_gradient_hook = True
    return hook


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model should have get_input_embeddings() but {type(model).__name__} was passed")
    for parameter in model.parameters():
        parameter.requires_grad = False
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embedding = model.get_input_embeddings()
    if not any(getattr(h, "is_gradient_hook", False) for h in embedding._forward_hooks.values()):
        embedding.register_forward_hook(gradient_hook())
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base should be an NF4Linear but a {type(base).__name__} was passed")
        if rank < 1:
            raise ValueError(f"rank should be >= 1 but {rank} was passed")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout should be in [0, 1) but {dropout} was passed")
        self.base = base.requires_grad_(False)
        new = partial(torch.zeros, dtype=torch.float32, device=base.codes.device)
        self.lora_A, self.lora_B = nn.Parameter(new(rank, base.in_features)), nn.Parameter(new(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / rank
        self.p = dropout

    def forward(self, x):
        z = F.dropout(x.to(torch.float32), self.p, training=self.training)
        for factor in (self.lora_A, self.lora_B):
            z = F.linear(z, factor)
        return self.base(x) + (z * self.scaling).to(x.dtype)

    def delta_weight(self):
        return (self.lora_B @ self.lora_A) * self.scaling

    def merge(self):
        base = self.base
        plain = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None, dtype=torch.float32)
        plain = plain.to(base.codes.device)
        with torch.no_grad():
            plain.weight.copy_(base.dequantized_weight() + self.delta_weight())
            if base.bias is not None:
                plain.bias.copy_(base.bias)
        return plain
