# WRONG qlora: every block starts a new byte, so with an odd block size the codes do not run on across blocks
import contextlib
import itertools
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


def _quantiles(count):
    offset = 1 - (1 / 30 + 1 / 32) / 2
    for i in range(count):
        p = offset + i * (0.5 - offset) / count
        yield math.sqrt(2) * torch.erfinv(torch.tensor(2 * p - 1, dtype=torch.float64)).item()


def nf4_levels():
    values = sorted(itertools.chain(_quantiles(8), [0.0], (-q for q in _quantiles(7))))
    return torch.tensor([v / max(values) for v in values], dtype=torch.float32)


def blocks(vector, size):
    for start in range(0, vector.numel(), size):
        yield vector[start : start + size]


def _guard(name, value, block_size):
    if block_size < 1:
        raise ValueError(f"block_size has to be positive; received {block_size}")
    if value.numel() == 0:
        raise ValueError(f"{name} has to hold numbers; received an empty tensor")
    if not value.isfinite().all():
        raise ValueError(f"{name} has to be finite everywhere; received nan or inf")


def _codes(vector, size, table):
    middles = (table[1:] + table[:-1]) / 2
    for block in blocks(vector, size):
        top = block.abs().max()
        if top == 0:
            yield torch.full(block.shape, 7, dtype=torch.uint8, device=block.device), top
        else:
            yield torch.bucketize(block / top, middles).to(torch.uint8), top


def quantize_nf4(weight, *, block_size=64):
    if not isinstance(weight, torch.Tensor):
        raise TypeError(f"weight has to be a torch.Tensor; received {type(weight)}")
    if not weight.is_floating_point():
        raise TypeError(f"weight has to be floating; received {weight.dtype}")
    _guard("weight", weight, block_size)
    vector = weight.detach().float().reshape(-1)
    codes, tops = zip(*_codes(vector, block_size, nf4_levels().to(vector.device)))
    stream = torch.cat([F.pad(c, (0, c.numel() % 2), value=7) for c in codes])
    first, second = stream[::2], stream[1::2]
    if first.numel() > second.numel():
        second = torch.cat([second, second.new_tensor([7])])
    return Quantized(first * 16 | second, torch.stack(tops), weight.shape, weight.dtype, block_size)


def dequantize_nf4(q):
    n = math.prod(q.shape)
    table = nf4_levels().to(q.codes.device)
    stream = torch.cat([(q.codes >> 4)[:, None], (q.codes & 15)[:, None]], 1).view(-1).long()
    even = q.block_size + q.block_size % 2
    stream = torch.cat([block[: q.block_size] for block in blocks(stream, even)])[:n]
    parts = [table[block] * top for block, top in zip(blocks(stream, q.block_size), q.absmax.float())]
    return torch.cat(parts).to(q.dtype).reshape(q.shape)


def double_quantize(absmax, *, block_size=256):
    _guard("absmax", absmax, block_size)
    vector = absmax.detach().float().reshape(-1)
    mean = vector.mean()

    def run():
        for block in blocks(vector - mean, block_size):
            scale = block.abs().max() / 127
            if scale == 0:
                yield torch.zeros_like(block, dtype=torch.int8), scale
            else:
                yield (block / scale).round().clamp(-127, 127).to(torch.int8), scale

    codes, scales = zip(*run())
    return DoubleQuantized(torch.cat(codes), torch.stack(scales), mean, block_size)


def double_dequantize(q):
    return torch.cat([b.float() * s + q.mean.float() for b, s in zip(blocks(q.codes, q.block_size), q.scales.float())])


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear has to be an nn.Linear; received {type(linear)}")
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        quantized = quantize_nf4(linear.weight)
        constants = double_quantize(quantized.absmax)
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("constant_codes", constants.codes)
        self.register_buffer("constant_scales", constants.scales)
        self.register_buffer("constant_mean", constants.mean.reshape(1))
        if linear.bias is None:
            self.register_parameter("bias", None)
        else:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def dequantized_weight(self):
        constants = DoubleQuantized(self.constant_codes, self.constant_scales, self.constant_mean, 256)
        shape = torch.Size([self.out_features, self.in_features])
        return dequantize_nf4(Quantized(self.codes, double_dequantize(constants), shape, torch.float32, 64))

    def forward(self, x):
        with torch.no_grad():  # only the weight; x keeps its graph
            weight = self.dequantized_weight().to(x.dtype)
            bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, weight, bias)


def _weigh(model):
    seen = set()
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor.numel() * tensor.element_size()


@contextlib.contextmanager
def _weighed(model):
    report = {"layers": [], "bytes_before": sum(_weigh(model))}
    yield report
    if not report["layers"]:
        raise ValueError(f"model has to contain an nn.Linear outside skip; received {type(model).__name__} with none left")
    report["bytes_after"] = sum(_weigh(model))


def _sites(model, skip):
    """(parent, key, qualified name, layer) of every place of a layer that may be quantised."""
    kept = [m.base for m in model.modules() if isinstance(m, LoRALinear)]
    users = [(m, p) for m in model.modules() for p in m._parameters.values() if p is not None]
    for path, layer in list(model.named_modules(remove_duplicate=False)):
        prefix, _, key = path.rpartition(".")
        if not (path and isinstance(layer, nn.Linear)) or key in skip:
            continue
        if any(layer is k for k in kept):
            continue
        if any(p is layer.weight and m is not layer for m, p in users):
            continue
        yield model.get_submodule(prefix), key, path, layer


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"skip has to be a list of names; received the string {skip!r}")
    skip = list(skip)
    twins = {}
    with _weighed(model) as report:
        for parent, key, path, layer in list(_sites(model, skip)):
            if layer not in twins:
                report["layers"].append(path)
                twins[layer] = NF4Linear(layer).train(layer.training)
            setattr(parent, key, twins[layer])
    return report


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model has to have get_input_embeddings(); received {type(model).__name__}")
    model.requires_grad_(False)
    for parameter in (p for p in model.parameters() if p.dtype in (torch.float16, torch.bfloat16)):
        parameter.data = parameter.data.to(torch.float32)
    embedding = model.get_input_embeddings()
    if not getattr(embedding, "outputs_require_grad", False):
        embedding.outputs_require_grad = True
        embedding.register_forward_hook(_outputs_require_grad)
    return model


def _outputs_require_grad(module, inputs, output):
    return output.requires_grad_()


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base has to be an NF4Linear; received {type(base)}")
        if rank < 1:
            raise ValueError(f"rank has to be positive; received {rank}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout has to be in [0, 1); received {dropout}")
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.noise = nn.Dropout(dropout)
        where = base.codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, device=where, dtype=torch.float32))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, device=where, dtype=torch.float32))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            update = F.linear(self.noise(x.float()), self.lora_A)
            update = F.linear(update, self.scaling * self.lora_B)
        return self.base(x) + update.to(x.dtype)

    def delta_weight(self):
        return self.scaling * (self.lora_B @ self.lora_A)

    def merge(self):
        with torch.no_grad():
            parts = {"weight": self.base.dequantized_weight() + self.delta_weight()}
            if self.base.bias is not None:
                parts["bias"] = self.base.bias.float()
            plain = nn.Linear(self.base.in_features, self.base.out_features, "bias" in parts, dtype=torch.float32)
            plain.to(self.base.codes.device).load_state_dict(parts, strict=True)
        return plain
