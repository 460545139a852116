# RIGHT qlora: HF-PEFT-like class hierarchy (BlockwiseQuantizer, BaseTunerLayer, ModelQuantizer), argmin over a table of distances in chunks
"""QLoRA building blocks, organised after the class layout of huggingface/peft."""
from __future__ import annotations

import abc
import math
import warnings
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Union

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


class BlockwiseQuantizer(abc.ABC):
    """Splits a flat tensor into blocks and scales each by its own maximum."""

    def __init__(self, block_size: int) -> None:
        if isinstance(block_size, bool) or not isinstance(block_size, int):
            raise TypeError(f"`block_size` should be an int, got {type(block_size)}.")
        if block_size < 1:
            raise ValueError(f"`block_size` should be a positive integer value but the value passed is {block_size}")
        self.block_size = block_size

    def check(self, tensor: Any, what: str) -> torch.Tensor:
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"`{what}` should be a torch.Tensor, got {type(tensor)}.")
        if tensor.numel() == 0:
            raise ValueError(f"`{what}` should not be empty, got shape {tuple(tensor.shape)}.")
        tensor = tensor.detach().to(torch.float32).reshape(-1)
        if not torch.isfinite(tensor).all():
            raise ValueError(f"`{what}` should be finite, got NaN or Inf values.")
        return tensor

    def maxima(self, flat: torch.Tensor) -> torch.Tensor:
        return torch.stack([block.abs().max() for block in flat.split(self.block_size)])

    def spread(self, constants: torch.Tensor, length: int) -> torch.Tensor:
        """One constant a block -> one a number."""
        return constants.unsqueeze(1).expand(-1, self.block_size).reshape(-1)[:length]

    @abc.abstractmethod
    def encode(self, tensor: torch.Tensor): ...

    @abc.abstractmethod
    def decode(self, state): ...


class NormalFloatQuantizer(BlockwiseQuantizer):
    CHUNK = 1 << 16

    @staticmethod
    def table() -> torch.Tensor:
        normal = torch.distributions.Normal(
            torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64), validate_args=False
        )
        offset = 1 - 0.5 * (1 / 30 + 1 / 32)
        right = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
        left = normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1]).neg()
        table, _ = torch.cat((right, right.new_zeros(1), left)).sort()
        return table.div(table.max()).float()

    def encode(self, tensor: torch.Tensor) -> Quantized:
        if isinstance(tensor, torch.Tensor) and not tensor.is_floating_point():
            raise TypeError(f"`weight` should have a floating dtype, got {tensor.dtype}.")
        flat = self.check(tensor, "weight")
        absmax = self.maxima(flat)
        divisor = self.spread(absmax.masked_fill(absmax == 0, 1.0), flat.numel())
        table = self.table().to(flat.device)
        index = torch.cat(
            [(piece.unsqueeze(-1) - table).abs().argmin(-1) for piece in (flat / divisor).split(self.CHUNK)]
        )
        if len(index) % 2 == 1:
            index = torch.cat((index, index.new_tensor([7])))
        high, low = index.view(-1, 2).unbind(dim=1)
        return Quantized((high * 16 + low).to(torch.uint8), absmax, tensor.shape, tensor.dtype, self.block_size)

    def decode(self, state: Quantized) -> torch.Tensor:
        length = state.shape.numel()
        codes = state.codes.long()
        table = self.table().to(codes.device)
        numbers = torch.stack((table[codes // 16], table[codes % 16]), dim=-1).flatten()[:length]
        numbers = numbers * self.spread(state.absmax.to(torch.float32), length)
        return numbers.to(state.dtype).view(state.shape)


class Int8Quantizer(BlockwiseQuantizer):
    def encode(self, tensor: torch.Tensor) -> DoubleQuantized:
        flat = self.check(tensor, "absmax")
        mean = flat.mean()
        centred = flat - mean
        scales = self.maxima(centred) / 127
        safe = self.spread(scales.masked_fill(scales == 0, math.inf), flat.numel())
        codes = torch.clamp(torch.round(centred / safe), min=-127, max=127).to(torch.int8)
        return DoubleQuantized(codes, scales, mean, self.block_size)

    def decode(self, state: DoubleQuantized) -> torch.Tensor:
        steps = self.spread(state.scales.to(torch.float32), state.codes.numel())
        return torch.addcmul(state.mean.to(torch.float32).expand_as(steps), state.codes.to(torch.float32), steps)


def nf4_levels() -> torch.Tensor:
    return NormalFloatQuantizer.table()


def quantize_nf4(weight: torch.Tensor, *, block_size: int = 64) -> Quantized:
    return NormalFloatQuantizer(block_size).encode(weight)


def dequantize_nf4(q: Quantized) -> torch.Tensor:
    return NormalFloatQuantizer(q.block_size).decode(q)


def double_quantize(absmax: torch.Tensor, *, block_size: int = 256) -> DoubleQuantized:
    return Int8Quantizer(block_size).encode(absmax)


def double_dequantize(q: DoubleQuantized) -> torch.Tensor:
    return Int8Quantizer(q.block_size).decode(q)


class BaseLayer(nn.Module):
    in_features: int
    out_features: int

    @property
    def device(self) -> torch.device:
        return next(self.buffers()).device


class NF4Linear(BaseLayer):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"`linear` should be a torch.nn.Linear, got {type(linear)}.")
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        weight_state = quantize_nf4(linear.weight, block_size=64)
        absmax_state = double_quantize(weight_state.absmax, block_size=256)
        self.register_buffer("weight_codes", weight_state.codes)
        self.register_buffer("absmax_codes", absmax_state.codes)
        self.register_buffer("absmax_scales", absmax_state.scales)
        self.register_buffer("absmax_mean", absmax_state.mean)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def quant_state(self) -> Quantized:
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        return Quantized(
            self.weight_codes, absmax, torch.Size((self.out_features, self.in_features)), torch.float32, 64
        )

    def dequantized_weight(self) -> torch.Tensor:
        return dequantize_nf4(self.quant_state())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.dequantized_weight().to(dtype=x.dtype)
        bias = self.bias
        if bias is not None:
            bias = bias.to(dtype=x.dtype)
        return nn.functional.linear(x, weight, bias)


class ModelQuantizer:
    """Walks over a model and swaps its layers."""

    def __init__(self, model: nn.Module, modules_to_not_convert: Iterable[str]) -> None:
        if isinstance(modules_to_not_convert, str):
            raise TypeError(
                f"`skip` should be a list of module names, got the str {modules_to_not_convert!r}. Did you mean a list of one?"
            )
        self.model = model
        self.skip = tuple(modules_to_not_convert)

    def footprint(self) -> int:
        total = 0
        for iterator in (self.model.named_parameters(), self.model.named_buffers()):
            for _, tensor in iterator:
                total += tensor.numel() * tensor.element_size()
        return total

    def is_tied(self, linear: nn.Linear) -> bool:
        for other in self.model.modules():
            if other is linear:
                continue
            for parameter in other.parameters(recurse=False):
                if parameter is linear.weight:
                    return True
        return False

    def is_lora_base(self, module: nn.Module) -> bool:
        return any(isinstance(m, LoRALinear) and m.base is module for m in self.model.modules())

    def targets(self) -> Iterator[tuple[str, str, nn.Module, nn.Linear]]:
        for parent_name, parent in self.model.named_modules():
            for child_name, child in parent._modules.items():
                if not isinstance(child, nn.Linear) or child_name in self.skip:
                    continue
                if self.is_lora_base(child) or self.is_tied(child):
                    continue
                yield f"{parent_name}.{child_name}".lstrip("."), child_name, parent, child

    def run(self) -> list[str]:
        targets = list(self.targets())
        if not targets:
            available = [n for n, m in self.model.named_modules() if isinstance(m, nn.Linear)]
            raise ValueError(f"`model` should hold a linear layer to quantize outside skip={self.skip}; it has {available}.")
        memo: dict[nn.Module, NF4Linear] = {}
        for _, child_name, parent, child in targets:
            if child not in memo:
                memo[child] = NF4Linear(child)
                memo[child].train(child.training)
            setattr(parent, child_name, memo[child])
        new = set(memo.values())
        return [name for name, module in self.model.named_modules() if module in new]


def quantize_model(model: nn.Module, skip: Iterable[str] = ("lm_head",)) -> dict[str, Union[int, list[str]]]:
    quantizer = ModelQuantizer(model, skip)
    before = quantizer.footprint()
    layers = quantizer.run()
    return {"layers": layers, "bytes_before": before, "bytes_after": quantizer.footprint()}


def prepare_for_training(model: nn.Module) -> nn.Module:
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(
            f"`model` should have a method `get_input_embeddings`, but {type(model).__name__} does not define it."
        )
    for name, param in model.named_parameters():
        # freeze base model's layers
        param.requires_grad = False

    # cast all non INT8 parameters to fp32
    for param in model.parameters():
        if param.dtype == torch.float16 or param.dtype == torch.bfloat16:
            param.data = param.data.to(torch.float32)

    embeddings = model.get_input_embeddings()
    for hook in embeddings._forward_hooks.values():
        if getattr(hook, "__name__", "") == "_make_inputs_require_grad":
            return model

    def _make_inputs_require_grad(module, input, output):
        output.requires_grad_(True)

    embeddings.register_forward_hook(_make_inputs_require_grad)
    return model


class BaseTunerLayer(nn.Module):
    adapter_layer_names: tuple[str, ...] = ()

    def get_base_layer(self) -> NF4Linear:
        return self.base


class QLoRALinear(BaseTunerLayer):
    adapter_layer_names = ("lora_A", "lora_B")

    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"`base` should be an NF4Linear, got {type(base)}.")
        self.base = base
        self.base.requires_grad_(False)
        self.update_layer(rank, alpha, dropout)

    def update_layer(self, r: int, lora_alpha: float, lora_dropout: float) -> None:
        if r < 1:
            raise ValueError(f"`rank` should be a positive integer value but the value passed is {r}")
        if not 0.0 <= lora_dropout < 1.0:
            raise ValueError(f"`dropout` should be in [0, 1) but the value passed is {lora_dropout}")
        if lora_alpha == 0:
            warnings.warn("alpha is 0, the adapter never does anything")
        base = self.get_base_layer()
        if lora_dropout > 0.0:
            self.lora_dropout = nn.Dropout(p=lora_dropout)
        else:
            self.lora_dropout = nn.Identity()
        self.lora_A = nn.Parameter(torch.empty(r, base.in_features, dtype=torch.float32, device=base.device))
        self.lora_B = nn.Parameter(torch.empty(base.out_features, r, dtype=torch.float32, device=base.device))
        self.scaling = lora_alpha / r
        self.reset_lora_parameters()

    def reset_lora_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def delta_weight(self) -> torch.Tensor:
        return self.lora_B @ self.lora_A * self.scaling

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.get_base_layer()(x)
        dropped = self.lora_dropout(x.to(self.lora_A.dtype))
        output = dropped @ self.lora_A.T @ self.lora_B.T
        return result + (output * self.scaling).to(result.dtype)

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        base = self.get_base_layer()
        merged = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None).to(base.device, torch.float32)
        merged.weight.data = base.dequantized_weight() + self.delta_weight()
        if base.bias is not None:
            merged.bias.data = base.bias.data.clone().to(torch.float32)
        return merged
