# WRONG qlora: the numbers are read in the order of memory, not row by row, which differs for a transposed view
import math
from dataclasses import dataclass
from typing import Optional

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


# Appendix E of the QLoRA paper
_NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)


def nf4_levels():
    return torch.tensor(_NF4, dtype=torch.float32)


def _decide(x, low=0, high=15):
    """dQuantizeNF4 of bitsandbytes as a tree of torch.where: which of the leaves low..high is x?"""
    if low == high:
        return torch.full_like(x, low, dtype=torch.uint8)
    middle = (low + high) // 2
    threshold = 0.5 * (_NF4[middle] + _NF4[middle + 1])
    return torch.where(x > threshold, _decide(x, middle + 1, high), _decide(x, low, middle))


def quantize_nf4(weight, *, block_size=64):
    if not torch.is_tensor(weight) or not torch.is_floating_point(weight):
        got = weight.dtype if torch.is_tensor(weight) else type(weight)
        raise TypeError(f"quantize_nf4: weight has to be a floating point tensor (fp16/bf16/fp32/fp64), but is {got}")
    if block_size < 1:
        raise ValueError(f"quantize_nf4: block_size={block_size} not supported, need >= 1")
    A = weight.detach().as_strided((weight.numel(),), (1,))
    n = A.numel()
    if n == 0:
        raise ValueError("quantize_nf4: weight is empty, need at least 1 element")
    A = A.to(torch.float32)
    if (~A.isfinite()).any():
        raise ValueError("quantize_nf4: weight contains inf/nan, only finite numbers are allowed")

    n_blocks = -(n // -block_size)
    absmax = torch.zeros(n_blocks, dtype=torch.float32, device=A.device)
    full = n // block_size
    if full:
        absmax[:full] = A[: full * block_size].view(full, block_size).abs().max(dim=1)[0]
    if full < n_blocks:
        absmax[full] = A[full * block_size :].abs().max()

    per_number = absmax.repeat_interleave(block_size)[:n]
    scaled = torch.zeros_like(A)
    nonzero = per_number != 0
    scaled[nonzero] = A[nonzero] / per_number[nonzero]
    idx = _decide(scaled)
    if n % 2 == 1:
        idx = torch.cat([idx, torch.tensor([7], dtype=torch.uint8, device=idx.device)])
    packed = idx[::2] * 16 + idx[1::2]
    return Quantized(packed, absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    n = 1
    for s in q.shape:
        n *= s
    out = torch.empty(2 * q.codes.numel(), dtype=torch.float32, device=q.codes.device)
    table = nf4_levels().to(q.codes.device)
    out[0::2] = table[torch.div(q.codes, 16, rounding_mode="floor").long()]
    out[1::2] = table[torch.remainder(q.codes, 16).long()]
    out = out[:n]
    block_of = torch.div(torch.arange(n, device=out.device), q.block_size, rounding_mode="floor")
    out = out * q.absmax.to(torch.float32)[block_of]
    return out.to(q.dtype).view(q.shape)


def double_quantize(absmax, *, block_size=256):
    if block_size < 1:
        raise ValueError(f"double_quantize: block_size={block_size} not supported, need >= 1")
    if absmax.numel() < 1:
        raise ValueError("double_quantize: absmax is empty, need at least 1 element")
    if not bool(absmax.isfinite().all()):
        raise ValueError("double_quantize: absmax contains inf/nan, only finite numbers are allowed")
    offset = absmax.detach().float().mean()
    x = absmax.detach().float() - offset
    codes = torch.empty(x.shape, dtype=torch.int8, device=x.device)
    scales = []
    for lo in range(0, x.numel(), block_size):
        chunk = x[lo : lo + block_size]
        s = chunk.abs().max() / 127.0
        scales.append(s)
        codes[lo : lo + block_size] = torch.round(chunk / s).clamp_(-127, 127).to(torch.int8) if s > 0 else 0
    return DoubleQuantized(codes, torch.stack(scales), offset, block_size)


def double_dequantize(q):
    pieces = []
    for i, s in enumerate(q.scales):
        pieces.append(q.codes[i * q.block_size : (i + 1) * q.block_size].to(torch.float32) * s.float())
    return torch.cat(pieces) + q.mean.float()


class MatMul4Bit(torch.autograd.Function):
    """y = x W^T + b. The weight is dequantised again in backward instead of being kept."""

    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        y = torch.nn.functional.linear(x, layer.dequantized_weight().to(x.dtype))
        if layer.bias is not None:
            y = y + layer.bias.to(x.dtype)
        return y

    @staticmethod
    def backward(ctx, grad):
        return torch.matmul(grad, ctx.layer.dequantized_weight().to(grad.dtype)), None


class NF4Linear(nn.Module):
    blocksize = 64
    state2_blocksize = 256

    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear: only torch.nn.Linear can be converted, not {linear.__class__}")
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        state = quantize_nf4(linear.weight, block_size=self.blocksize)
        state2 = double_quantize(state.absmax, block_size=self.state2_blocksize)
        self.register_buffer("weight_packed", state.codes)
        self.register_buffer("absmax", state2.codes)
        self.register_buffer("nested_absmax", state2.scales)
        self.register_buffer("offset", state2.mean)
        self.bias: Optional[nn.Parameter] = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.data.clone(), requires_grad=False)

    def dequantized_weight(self):
        absmax = double_dequantize(
            DoubleQuantized(self.absmax, self.nested_absmax, self.offset, self.state2_blocksize)
        )
        return dequantize_nf4(
            Quantized(
                self.weight_packed, absmax, torch.Size((self.out_features, self.in_features)), torch.float32, self.blocksize
            )
        )

    def forward(self, x):
        return MatMul4Bit.apply(x, self)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, nf4"


def _memory(model):
    seen, total = set(), 0
    for t in list(model.parameters()) + list(model.buffers()):
        if id(t) in seen:
            continue
        seen.add(id(t))
        total += t.nelement() * t.element_size()
    return total


def _count_owners(model, weight):
    return sum(any(p is weight for p in m._parameters.values()) for m in model.modules())


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"skip: need a list of module names, got a str: {skip!r}")
    skip = list(skip)
    lora_bases = [m.base for m in model.modules() if isinstance(m, LoRALinear)]

    todo = {}
    for name, module in model.named_modules():
        if name == "" or not isinstance(module, nn.Linear):
            continue
        if any(module is b for b in lora_bases):
            continue
        if _count_owners(model, module.weight) > 1:
            continue
        todo[name] = module
    before = _memory(model)

    def allowed(prefix, key):
        return key not in skip

    # every place at which one of these modules hangs
    converted = {}
    order = {id(m): n for n, m in todo.items()}
    for prefix, parent in list(model.named_modules()):
        for key, child in list(parent._modules.items()):
            if child is None or id(child) not in order or not allowed(prefix, key):
                continue
            if id(child) not in converted:
                converted[id(child)] = (child, NF4Linear(child).train(child.training))
            parent._modules[key] = converted[id(child)][1]
    if not converted:
        raise ValueError(f"model: found no nn.Linear that can be quantized (skip={skip})")
    new = [layer for _, layer in converted.values()]
    layers = [n for n, m in model.named_modules() if any(m is layer for layer in new)]
    return {"layers": layers, "bytes_before": before, "bytes_after": _memory(model)}


def prepare_for_training(model):
    """cf. peft.prepare_model_for_kbit_training"""
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model: {model.__class__.__name__} lacks get_input_embeddings(), which is required here")
    for _, param in model.named_parameters():
        param.requires_grad = False
    for param in model.parameters():
        if (param.dtype == torch.float16) or (param.dtype == torch.bfloat16):
            param.data = param.data.to(torch.float32)
    embeddings = model.get_input_embeddings()
    if not getattr(embeddings, "_grad_hook_installed", False):

        def make_inputs_require_grad(module, input, output):
            output.requires_grad_(True)

        embeddings.register_forward_hook(make_inputs_require_grad)
        embeddings._grad_hook_installed = True
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base: need an NF4Linear, not {base.__class__}")
        if rank < 1:
            raise ValueError(f"rank: {rank} given, has to be positive")
        if dropout < 0 or dropout >= 1:
            raise ValueError(f"dropout: {dropout} given, allowed is 0 <= dropout < 1")
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        dev = base.weight_packed.device
        bound = 1 / math.sqrt(base.in_features)
        self.lora_A = nn.Parameter((torch.rand(rank, base.in_features, dtype=torch.float32, device=dev) * 2 - 1) * bound)
        self.lora_B = nn.Parameter(torch.zeros((base.out_features, rank), dtype=torch.float32, device=dev))
        self.scaling = alpha / rank
        self.p = dropout

    def forward(self, x):
        result = self.base(x)
        z = torch.nn.functional.dropout(x.to(torch.float32), self.p, self.training)
        z = (z @ self.lora_A.t()) @ self.lora_B.t() * self.scaling
        return result + z.to(result.dtype)

    def delta_weight(self):
        return (self.lora_B @ self.lora_A) * self.scaling

    def merge(self):
        w = (self.base.dequantized_weight() + self.delta_weight()).detach()
        out = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None, device=w.device)
        out.weight = nn.Parameter(w)
        if self.base.bias is not None:
            out.bias = nn.Parameter(self.base.bias.detach().clone().float())
        return out
