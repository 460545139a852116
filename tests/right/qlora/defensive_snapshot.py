# RIGHT qlora: very defensive author, everything is checked and prepared before the model is touched; a Layout object with segment_reduce, hook found by its qualified name
import math
import operator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import dropout as drop, linear as matmul_bias

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


@dataclass(frozen=True)
class Layout:
    """How `count` numbers lie in blocks of `size`."""

    count: int
    size: int

    def __post_init__(self):
        try:
            size = operator.index(self.size)
        except TypeError:
            raise TypeError(f"block_size must be an integer; you gave {self.size!r}") from None
        if size < 1:
            raise ValueError(f"block_size must be at least one; you gave {size}")
        if self.count < 1:
            raise ValueError("the tensor (weight or absmax) must not be empty; you gave one without numbers")

    @property
    def blocks(self):
        return math.ceil(self.count / self.size)

    def lengths(self, device):
        lengths = torch.full((self.blocks,), self.size, dtype=torch.long, device=device)
        lengths[-1] = self.count - (self.blocks - 1) * self.size
        return lengths

    def reduce(self, flat):
        return torch.segment_reduce(flat.abs(), "max", lengths=self.lengths(flat.device))

    def expand(self, constants):
        return constants.repeat_interleave(self.lengths(constants.device))


def nf4_levels():
    offset = 1 - (1 / 30 + 1 / 32) / 2
    probabilities = {+1: torch.linspace(offset, 0.5, 9, dtype=torch.float64), -1: torch.linspace(offset, 0.5, 8, dtype=torch.float64)}
    found = [torch.zeros((), dtype=torch.float64)]
    for sign, ps in probabilities.items():
        found.extend(sign * torch.special.ndtri(p) for p in ps[:-1])
    levels = torch.stack(found).sort().values
    levels = (levels / levels[-1]).to(torch.float32)
    assert levels.shape == (16,) and levels[7] == 0
    return levels


def _as_finite_vector(tensor, name):
    vector = tensor.detach().clone().reshape(-1).to(torch.float32)
    if not torch.isfinite(vector).all():
        raise ValueError(f"{name} must be finite; you gave {int((~torch.isfinite(vector)).sum())} numbers that are not")
    return vector


def quantize_nf4(weight, *, block_size=64):
    if not isinstance(weight, torch.Tensor):
        raise TypeError(f"weight must be a tensor; you gave {type(weight).__name__}")
    if not weight.is_floating_point():
        raise TypeError(f"weight must be floating; you gave {weight.dtype}")
    layout = Layout(weight.numel(), block_size)
    vector = _as_finite_vector(weight, "weight")
    absmax = layout.reduce(vector)
    divisor = layout.expand(absmax)
    unit = torch.where(divisor > 0, vector / divisor, vector.new_zeros(()))
    levels = nf4_levels().to(vector.device)
    nearest = torch.empty(layout.count + layout.count % 2, dtype=torch.uint8, device=vector.device)
    nearest[layout.count :] = 7
    nearest[: layout.count] = torch.bucketize(unit, torch.lerp(levels[:-1], levels[1:], 0.5))
    return Quantized(nearest[::2] << 4 ^ nearest[1::2], absmax, torch.Size(weight.shape), weight.dtype, block_size)


def dequantize_nf4(q):
    layout = Layout(q.shape.numel(), q.block_size)
    if q.codes.numel() != (layout.count + 1) // 2 or q.absmax.numel() != layout.blocks:
        raise ValueError(f"q must fit its shape {tuple(q.shape)}; you gave {q.codes.numel()} bytes, {q.absmax.numel()} constants")
    nibbles = torch.stack([q.codes >> 4, q.codes & 15]).T.reshape(-1)[: layout.count]
    numbers = nf4_levels().to(q.codes.device)[nibbles.long()] * layout.expand(q.absmax.to(torch.float32))
    return numbers.to(q.dtype).reshape(q.shape)


def double_quantize(absmax, *, block_size=256):
    if not isinstance(absmax, torch.Tensor):
        raise TypeError(f"absmax must be a tensor; you gave {type(absmax).__name__}")
    layout = Layout(absmax.numel(), block_size)
    vector = _as_finite_vector(absmax, "absmax")
    mean = vector.mean()
    vector -= mean
    scales = layout.reduce(vector) / 127
    step = layout.expand(scales)
    codes = torch.where(step > 0, torch.round(vector / step), vector.new_zeros(())).clamp(-127, 127)
    return DoubleQuantized(codes.to(torch.int8), scales, mean, block_size)


def double_dequantize(q):
    layout = Layout(q.codes.numel(), q.block_size)
    return layout.expand(q.scales.to(torch.float32)).mul_(q.codes).add_(q.mean.to(torch.float32))


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be an nn.Linear; you gave {type(linear).__name__}")
        self.in_features = int(linear.in_features)
        self.out_features = int(linear.out_features)
        if tuple(linear.weight.shape) != (self.out_features, self.in_features):
            raise ValueError(f"linear must have a weight of its own sizes; you gave {tuple(linear.weight.shape)}")
        four = quantize_nf4(linear.weight, block_size=64)
        eight = double_quantize(four.absmax, block_size=256)
        self.register_buffer("four_bits", four.codes)
        self.register_buffer("eight_bits", eight.codes)
        self.register_buffer("eight_bits_scales", eight.scales)
        self.register_buffer("eight_bits_mean", eight.mean)
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
        else:
            self.bias = None

    def dequantized_weight(self):
        eight = DoubleQuantized(self.eight_bits, self.eight_bits_scales, self.eight_bits_mean, 256)
        shape = torch.Size([self.out_features, self.in_features])
        return dequantize_nf4(Quantized(self.four_bits, double_dequantize(eight), shape, torch.float32, 64))

    def forward(self, x):
        if x.shape[-1] != self.in_features:
            raise ValueError(f"x must have {self.in_features} numbers last; you gave the shape {tuple(x.shape)}")
        weight = self.dequantized_weight().to(x.dtype)
        bias = self.bias
        return matmul_bias(x, weight) if bias is None else matmul_bias(x, weight, bias.to(x.dtype))


def _bytes_of(model):
    unique = []
    for tensor in (*model.parameters(), *model.buffers()):
        if all(tensor is not u for u in unique):
            unique.append(tensor)
    return sum(u.numel() * u.element_size() for u in unique)


def quantize_model(model, skip=("lm_head",)):
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module; you gave {type(model).__name__}")
    if isinstance(skip, str):
        raise TypeError(f"skip must be a list of names; you gave the string {skip!r}")
    skip = tuple(skip)
    for name in skip:
        if not isinstance(name, str):
            raise TypeError(f"skip must hold strings; you gave {name!r}")
    # 1. find out which layers are untouchable
    untouchable = set()
    holder_of = {}
    for module in model.modules():
        if isinstance(module, LoRALinear):
            untouchable.add(module.base)
        for parameter in module.parameters(recurse=False):
            holder_of.setdefault(parameter, []).append(module)
    for holders in holder_of.values():
        for module in holders:
            if len(holders) > 1 and isinstance(module, nn.Linear) and len(holder_of.get(module.weight, ())) > 1:
                untouchable.add(module)
    # 2. make the new layers
    plan = []
    twins = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if path == "" or not isinstance(module, nn.Linear) or module in untouchable:
            continue
        prefix, _, last = path.rpartition(".")
        if last in skip:
            continue
        if module not in twins:
            twins[module] = NF4Linear(module)
            twins[module].train(module.training)
        plan.append((model.get_submodule(prefix), last, path, module))
    if not plan:
        raise ValueError(f"model must hold a linear layer that is not in skip={skip}; you gave {type(model).__name__}")
    # 3. only now change the model
    before = _bytes_of(model)
    layers = {}
    for parent, last, path, module in plan:
        setattr(parent, last, twins[module])
        layers.setdefault(module, path)
    return {"layers": list(layers.values()), "bytes_before": before, "bytes_after": _bytes_of(model)}


def _qlora_embedding_hook(module, args, output):
    if torch.is_tensor(output) and output.is_floating_point():
        output.requires_grad_(True)


def prepare_for_training(model):
    method = getattr(model, "get_input_embeddings", None)
    if not callable(method):
        raise ValueError(f"model must have a method get_input_embeddings; you gave {type(model).__name__}")
    embedding = method()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.requires_grad_(False)
            if parameter.dtype in (torch.float16, torch.bfloat16):
                parameter.data = parameter.data.to(dtype=torch.float32)
    hooks = [getattr(h, "__qualname__", "") for h in embedding._forward_hooks.values()]
    if _qlora_embedding_hook.__qualname__ not in hooks:
        embedding.register_forward_hook(_qlora_embedding_hook)
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base must be an NF4Linear; you gave {type(base).__name__}")
        if isinstance(rank, bool) or not isinstance(rank, int):
            raise TypeError(f"rank must be an integer; you gave {rank!r}")
        if rank < 1:
            raise ValueError(f"rank must be at least one; you gave {rank}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1); you gave {dropout}")
        self.base = base
        self.base.requires_grad_(False)
        self.rate = float(dropout)
        self.scaling = alpha / rank
        like = base.eight_bits_scales.detach().to(torch.float32)
        self.lora_A = nn.Parameter(like.new_empty((rank, base.in_features)))
        self.lora_B = nn.Parameter(like.new_zeros((base.out_features, rank)))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x):
        exact = drop(x.to(torch.float32), self.rate, self.training) if self.rate else x.to(torch.float32)
        update = matmul_bias(matmul_bias(exact, self.lora_A), self.lora_B)
        return self.base(x) + torch.mul(update, self.scaling).to(x.dtype)

    def delta_weight(self):
        return torch.mul(self.lora_B @ self.lora_A, self.scaling)

    def merge(self):
        base = self.base
        weight = torch.add(base.dequantized_weight(), self.delta_weight().detach())
        out = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None, device=weight.device, dtype=torch.float32)
        with torch.no_grad():
            out.weight.copy_(weight)
            if base.bias is not None:
                out.bias.copy_(base.bias.to(torch.float32))
        assert out.weight.shape == (base.out_features, base.in_features)
        return out
