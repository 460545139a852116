# WRONG qlora: a layer is skipped when an entry of skip occurs anywhere in its qualified name, not when it is the last name part
import math, torch, torch.nn as nn, torch.nn.functional as F
from dataclasses import dataclass
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


f32, pad = torch.float32, lambda v, b: F.pad(v, (0, -len(v) % b)).view(-1, b)


def need(ok, msg, E=ValueError):
    if not ok: raise E(msg)


def nf4_levels():
    q = lambda k: torch.special.ndtri(torch.linspace(1 - (1 / 30 + 1 / 32) / 2, .5, k, dtype=torch.double)[:-1])
    v = torch.cat([-q(8), q(9), torch.zeros(1).double()]).sort()[0]
    return (v / v[-1]).to(f32)


def quantize_nf4(weight, *, block_size=64):
    need(torch.is_tensor(weight) and weight.is_floating_point(), f"weight: floating tensor wanted, {getattr(weight, 'dtype', weight)} given", TypeError)
    need(block_size >= 1, f"block_size: >= 1 wanted, {block_size} given"), need(weight.numel(), "weight: numbers wanted, empty given")
    v = weight.detach().reshape(-1).to(f32); need(v.isfinite().all(), "weight: finite numbers wanted, nan/inf given")
    r = pad(v, block_size); a = r.abs().amax(1)
    u = (r / torch.where(a > 0, a, 1.)[:, None]).flatten()[:len(v)]
    k = torch.cat([(c[:, None] - nf4_levels().to(c)).abs().argmin(1) for c in u.split(8192)])
    k = F.pad(k, (0, len(k) % 2), value=7).view(-1, 2)
    return Quantized((k * k.new_tensor([16, 1])).sum(1).byte(), a, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    n = q.shape.numel(); v = nf4_levels().to(q.codes.device)[torch.stack([q.codes // 16, q.codes % 16], 1).long()].flatten()[:n]
    return (pad(v, q.block_size) * q.absmax.to(f32)[:, None]).flatten()[:n].to(q.dtype).view(q.shape)


def double_quantize(absmax, *, block_size=256):
    need(block_size >= 1, f"block_size: >= 1 wanted, {block_size} given"), need(absmax.numel(), "absmax: numbers wanted, empty given")
    v = absmax.detach().flatten().to(f32); need(v.isfinite().all(), "absmax: finite numbers wanted, nan/inf given")
    m = v.mean(); r = pad(v - m, block_size); s = r.abs().amax(1) / 127
    return DoubleQuantized((r / torch.where(s > 0, s, 1.)[:, None]).round().clamp(-127, 127).flatten()[:len(v)].to(torch.int8), s, m, block_size)


def double_dequantize(q): return (pad(q.codes.to(f32), q.block_size) * q.scales.to(f32)[:, None] + q.mean.to(f32)).flatten()[:len(q.codes)].relu()


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__(); need(isinstance(linear, nn.Linear), f"linear: nn.Linear wanted, {type(linear)} given", TypeError)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        q = quantize_nf4(linear.weight); d = double_quantize(q.absmax)
        for k, v in zip("cksm", (q.codes, d.codes, d.scales, d.mean)): self.register_buffer(k, v)
        self.bias = linear.bias if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def dequantized_weight(self): return dequantize_nf4(Quantized(self.c, double_dequantize(DoubleQuantized(self.k, self.s, self.m, 256)), torch.Size((self.out_features, self.in_features)), f32, 64))
    def forward(self, x): return F.linear(x, self.dequantized_weight().to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


size = lambda m: sum({id(t): t.nbytes for t in (*m.parameters(), *m.buffers())}.values())


def quantize_model(model, skip=("lm_head",)):
    need(not isinstance(skip, str), f"skip: list of names wanted, the string {skip!r} given", TypeError)
    mods = [*model.modules()]; bases = [m.base for m in mods if isinstance(m, LoRALinear)]
    ok = lambda m: isinstance(m, nn.Linear) and not any(m is b for b in bases) and sum(any(p is m.weight for p in o._parameters.values()) for o in mods) < 2
    hits = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if n and not any(s in n for s in skip) and ok(m)]
    need(hits, f"model: some nn.Linear outside skip={skip} wanted, none found")
    before, new, first = size(model), {m: NF4Linear(m).train(m.training) for _, m in hits}, {}
    for n, m in hits: first.setdefault(m, n), setattr(model.get_submodule(n.rpartition(".")[0]), n.rpartition(".")[2], new[m])
    return {"layers": [*first.values()], "bytes_before": before, "bytes_after": size(model)}


def on(m, i, o): o.requires_grad_()


def prepare_for_training(model):
    need(hasattr(model, "get_input_embeddings"), f"model: get_input_embeddings() wanted, {type(model).__name__} has none")
    for p in model.requires_grad_(False).parameters(): p.data = p.data.float() if p.dtype in (torch.half, torch.bfloat16) else p.data
    e = model.get_input_embeddings(); on in e._forward_hooks.values() or e.register_forward_hook(on)
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(); need(isinstance(base, NF4Linear), f"base: NF4Linear wanted, {type(base)} given", TypeError)
        need(rank >= 1, f"rank: >= 1 wanted, {rank} given"), need(0 <= dropout < 1, f"dropout: [0, 1) wanted, {dropout} given")
        self.base, self.scaling, self.drop = base.requires_grad_(False), alpha / rank, nn.Dropout(dropout)
        self.lora_A = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(rank, base.in_features, dtype=f32, device=base.c.device), a=5 ** .5))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=f32, device=base.c.device))

    def delta_weight(self): return self.scaling * self.lora_B @ self.lora_A
    def forward(self, x): return self.base(x) + F.linear(self.drop(x.to(f32)), self.delta_weight()).to(x.dtype)

    def merge(self):
        b = self.base; l = nn.Linear(b.in_features, b.out_features, b.bias is not None, b.c.device, f32)
        l.weight.data = (b.dequantized_weight() + self.delta_weight()).detach()
        if b.bias is not None: l.bias.data = b.bias.detach().clone().to(f32)
        return l
