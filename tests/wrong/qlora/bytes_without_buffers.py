# WRONG qlora: bytes_before and bytes_after count parameters only, so the packed codes and all other buffers weigh nothing
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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


def Phi_inv(p: float) -> float:
    """Solve Phi(z) = p by Newton iteration, Phi the standard normal distribution function."""
    z = 0.0
    for _ in range(60):
        F = 0.5 * math.erfc(-z / math.sqrt(2))
        f = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        z -= (F - p) / f
    return z


def nf4_levels() -> Tensor:
    p0 = 1 - (1 / 30 + 1 / 32) / 2
    P = [Phi_inv(p0 + (0.5 - p0) * k / 8) for k in range(8)]
    N = [-Phi_inv(p0 + (0.5 - p0) * k / 7) for k in range(7)]
    L = sorted(P + N + [0.0])
    return torch.tensor([x / L[-1] for x in L], dtype=torch.float32)


def _partition(v: Tensor, b: int) -> list[Tensor]:
    return [v[i : i + b] for i in range(0, len(v), b)]


def _ensure(t, name: str, b: int) -> Tensor:
    if b < 1:
        raise ValueError(f"block_size = {b}, but block_size >= 1 is required")
    if t.numel() == 0:
        raise ValueError(f"{name} is the empty tensor, but at least one entry is required")
    v = t.detach().float().contiguous().view(-1)
    if not bool((v - v == 0).all()):
        raise ValueError(f"{name} has an entry that is not a real number (nan, inf), but all have to be finite")
    return v


def quantize_nf4(weight: Tensor, *, block_size: int = 64) -> Quantized:
    if not (isinstance(weight, Tensor) and weight.is_floating_point()):
        raise TypeError(f"weight is {type(weight)} / {getattr(weight, 'dtype', None)}, but a floating tensor is required")
    v = _ensure(weight, "weight", block_size)
    parts = _partition(v, block_size)
    norms = torch.stack([torch.linalg.vector_norm(p, ord=math.inf) for p in parts])  # the sup norm
    L = nf4_levels().to(v)
    cuts = (L[1:] + L[:-1]) / 2
    unit = torch.cat([p / (c if c > 0 else 1) for p, c in zip(parts, norms)])
    k = sum((unit > c).int() for c in cuts)  # the index of the Voronoi cell
    if len(k) % 2:
        k = torch.cat([k, k.new_full((1,), 7)])
    codes = k.view(-1, 2).mul(torch.tensor([16, 1], dtype=k.dtype, device=k.device)).sum(1).to(torch.uint8)
    return Quantized(codes, norms, weight.size(), weight.dtype, block_size)


def dequantize_nf4(q: Quantized) -> Tensor:
    n = math.prod(q.shape)
    c = q.codes.int()
    k = torch.stack((c // 16, c % 16), -1).flatten()[:n]
    E = (k[:, None] == torch.arange(16, device=k.device)).float()
    v = E @ nf4_levels().to(E)
    out = torch.cat([p * a for p, a in zip(_partition(v, q.block_size), q.absmax.float())])
    return out.view(q.shape).to(q.dtype)


def double_quantize(absmax: Tensor, *, block_size: int = 256) -> DoubleQuantized:
    a = _ensure(absmax, "absmax", block_size)
    mu = a.sum(dtype=torch.float64).div(len(a)).float()
    parts = _partition(a - mu, block_size)
    s = torch.stack([torch.linalg.vector_norm(p, ord=math.inf) for p in parts]) / 127
    k = [torch.floor(p / h + 0.5).clamp(-127, 127) if h > 0 else torch.zeros_like(p) for p, h in zip(parts, s)]
    return DoubleQuantized(torch.cat(k).to(torch.int8), s, mu, block_size)


def double_dequantize(q: DoubleQuantized) -> Tensor:
    k = _partition(q.codes.float(), q.block_size)
    return torch.cat([x * h for x, h in zip(k, q.scales.float())]) + q.mean.float()


class NF4Linear(nn.Module):
    r"""x \mapsto Q^{-1}(c) x + b"""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear is a {type(linear).__name__}, but an nn.Linear is required")
        self.in_features = n = linear.in_features
        self.out_features = m = linear.out_features
        self.R = torch.Size((m, n))
        q = quantize_nf4(linear.weight)
        d = double_quantize(q.absmax)
        self.register_buffer("c", q.codes)
        self.register_buffer("k", d.codes)
        self.register_buffer("h", d.scales)
        self.register_buffer("mu", d.mean)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), False)

    def dequantized_weight(self) -> Tensor:
        alpha = double_dequantize(DoubleQuantized(self.k, self.h, self.mu, 256))
        return dequantize_nf4(Quantized(self.c, alpha, self.R, torch.float32, 64))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("...j,ij->...i", x, self.dequantized_weight().to(x.dtype))
        return y if self.bias is None else y + self.bias.to(x.dtype)


def _mu(model: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in set(model.parameters()))


def quantize_model(model: nn.Module, skip=("lm_head",)) -> dict:
    if isinstance(skip, str):
        raise TypeError(f"skip = {skip!r} is a string, but a collection of strings is required")
    M = list(model.modules())
    B = {m.base for m in M if isinstance(m, LoRALinear)}

    def tied(l):
        return any(p is l.weight for m in M if m is not l for p in m.parameters(recurse=False))

    S = {m for m in M if isinstance(m, nn.Linear) and m not in B and not tied(m)}
    before, phi, names = _mu(model), {}, []
    for name, m in list(model.named_modules(remove_duplicate=False)):
        head, _, last = name.rpartition(".")
        if not name or m not in S or last in skip:
            continue
        if m not in phi:
            phi[m] = NF4Linear(m).train(m.training)
            names += [name]
        model.get_submodule(head)._modules[last] = phi[m]
    if not phi:
        raise ValueError(f"model has no linear layer outside skip = {tuple(skip)}, but at least one is required")
    return dict(layers=names, bytes_before=before, bytes_after=_mu(model))


def prepare_for_training(model: nn.Module) -> nn.Module:
    try:
        e = model.get_input_embeddings()
    except AttributeError as error:
        raise ValueError(f"model is a {type(model).__name__} without get_input_embeddings, which is required") from error
    for p in model.requires_grad_(False).parameters():
        if p.dtype.is_floating_point and p.dtype.itemsize < 4:
            p.data = p.data.to(torch.float32)
    if "requires_grad_hook" not in e.__dict__:
        e.requires_grad_hook = e.register_forward_hook(lambda _, __, y: y.requires_grad_())
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base is a {type(base).__name__}, but an NF4Linear is required")
        if rank < 1:
            raise ValueError(f"rank = {rank}, but rank >= 1 is required")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout = {dropout}, but 0 <= dropout < 1 is required")
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.p = dropout
        o = dict(dtype=torch.float32, device=base.c.device)
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, **o))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, **o))
        torch.nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        z = x.float()
        if self.training and self.p:
            z = z * torch.bernoulli(torch.full_like(z, 1 - self.p)) / (1 - self.p)
        u = torch.einsum("or,ri,...i->...o", self.lora_B, self.lora_A, z)
        return self.base(x) + (self.scaling * u).to(x.dtype)

    def delta_weight(self) -> Tensor:
        return self.scaling * torch.einsum("or,ri->oi", self.lora_B, self.lora_A)

    def merge(self) -> nn.Linear:
        m, n = self.base.R
        out = nn.Linear(n, m, bias=self.base.bias is not None, dtype=torch.float32, device=self.base.c.device)
        out.weight.data.copy_(self.base.dequantized_weight() + self.delta_weight().detach())
        if out.bias is not None:
            out.bias.data.copy_(self.base.bias)
        return out
