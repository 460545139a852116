# WRONG qlora: prepare_for_training compares hooks with a fresh closure, so each further call registers one more
"""
QLoRA: Efficient Finetuning of Quantized LLMs
=============================================

This module implements the main ingredients of QLoRA:

1. **4-bit NormalFloat (NF4)** quantization
2. **Double quantization** of the quantization constants
3. **Low-rank adapters** on top of the frozen 4-bit weights

Example:
    >>> report = quantize_model(model)
    >>> model = prepare_for_training(model)
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F

from solutions.lora import LoRALinear

logger = logging.getLogger(__name__)

# ---------------------------------------------------------------------------
# Constants
# ---------------------------------------------------------------------------
NF4_BLOCK_SIZE: int = 64
ABSMAX_BLOCK_SIZE: int = 256
NF4_OFFSET: float = 1 - (1 / 30 + 1 / 32) / 2
HALF_DTYPES: Tuple[torch.dtype, ...] = (torch.float16, torch.bfloat16)


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


# ---------------------------------------------------------------------------
# Validation helpers
# ---------------------------------------------------------------------------
def _validate_positive_int(value: Any, name: str) -> None:
    """Raise if ``value`` is not an integer greater than or equal to one."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`{name}` must be an integer, but got {value!r} of type {type(value).__name__}.")
    if value < 1:
        raise ValueError(f"`{name}` must be >= 1, but got {value}.")


def _validate_probability(value: Any, name: str) -> None:
    """Raise if ``value`` does not lie in the half-open interval [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"`{name}` must be a number, but got {type(value).__name__}.")
    if not 0.0 <= value < 1.0:
        raise ValueError(f"`{name}` must be in the interval [0, 1), but got {value}.")


def _validate_tensor(value: Any, name: str) -> None:
    """Raise if ``value`` is not a non-empty tensor of finite floating numbers."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"`{name}` must be a torch.Tensor, but got {type(value).__name__}.")
    if not value.is_floating_point():
        raise TypeError(f"`{name}` must have a floating-point dtype, but got {value.dtype}.")
    if value.numel() == 0:
        raise ValueError(f"`{name}` must not be empty, but has shape {tuple(value.shape)}.")
    if not torch.isfinite(value).all():
        raise ValueError(f"`{name}` must contain only finite numbers, but contains NaN or Inf.")


def _validate_type(value: Any, expected: type, name: str) -> None:
    if not isinstance(value, expected):
        raise TypeError(f"`{name}` must be an instance of {expected.__name__}, but got {type(value).__name__}.")


# ---------------------------------------------------------------------------
# NF4
# ---------------------------------------------------------------------------
def nf4_levels() -> torch.Tensor:
    """Return the 16 NF4 quantization levels, sorted ascending, as a float32 tensor."""
    # Step 1: quantiles of the positive half (8 values) and the negative half (7 values)
    positive_probs = torch.linspace(NF4_OFFSET, 0.5, 9, dtype=torch.float64)[:-1]
    negative_probs = torch.linspace(NF4_OFFSET, 0.5, 8, dtype=torch.float64)[:-1]
    positive = math.sqrt(2.0) * torch.erfinv(2.0 * positive_probs - 1.0)
    negative = -math.sqrt(2.0) * torch.erfinv(2.0 * negative_probs - 1.0)

    # Step 2: combine with an exact zero
    zero = torch.zeros(1, dtype=torch.float64)
    levels = torch.cat([negative, zero, positive])

    # Step 3: sort and normalize to [-1, 1]
    levels = torch.sort(levels).values
    levels = levels / levels.abs().max()
    return levels.to(torch.float32)


def _to_blocks(flat: torch.Tensor, block_size: int) -> torch.Tensor:
    """Reshape a flat tensor into ``(num_blocks, block_size)``, zero-padding the last block."""
    num_blocks = (flat.numel() + block_size - 1) // block_size
    padded = torch.zeros(num_blocks * block_size, dtype=flat.dtype, device=flat.device)
    padded[: flat.numel()].copy_(flat)
    return padded.view(num_blocks, block_size)


def _safe_divisor(scale: torch.Tensor) -> torch.Tensor:
    """Replace zeros by ones, so that dividing a block of zeros gives zeros."""
    return torch.where(scale == 0, torch.ones_like(scale), scale)


def quantize_nf4(weight: torch.Tensor, *, block_size: int = NF4_BLOCK_SIZE) -> Quantized:
    """
    Quantize a tensor to 4-bit NormalFloat.

    Args:
        weight: Tensor of any shape and floating-point dtype.
        block_size: How many consecutive numbers share one scale.

    Returns:
        A :class:`Quantized` with packed codes and one ``absmax`` per block.

    Raises:
        TypeError: If ``weight`` is not a floating-point tensor.
        ValueError: If ``weight`` is empty or not finite, or ``block_size < 1``.
    """
    _validate_tensor(weight, "weight")
    _validate_positive_int(block_size, "block_size")

    with torch.no_grad():
        flat = weight.detach().to(torch.float32).reshape(-1)
        num_elements = flat.numel()
        blocks = _to_blocks(flat, block_size)

        # Per-block absolute maximum
        absmax = blocks.abs().max(dim=1).values
        normalized = (blocks / _safe_divisor(absmax).unsqueeze(1)).reshape(-1)[:num_elements]

        # Nearest level through the boundaries halfway between neighbours
        levels = nf4_levels().to(flat.device)
        boundaries = (levels[:-1] + levels[1:]) / 2.0
        indices = torch.bucketize(normalized.contiguous(), boundaries)

        # Pack two 4-bit codes per byte, first code in the high nibble
        if num_elements % 2 != 0:
            zero_code = torch.full((1,), 7, dtype=indices.dtype, device=indices.device)
            indices = torch.cat([indices, zero_code])
        indices = indices.to(torch.uint8).view(-1, 2)
        codes = torch.bitwise_or(torch.bitwise_left_shift(indices[:, 0], 4), indices[:, 1])

    return Quantized(codes=codes, absmax=absmax, shape=weight.shape, dtype=weight.dtype, block_size=block_size)


def dequantize_nf4(q: Quantized) -> torch.Tensor:
    """Reconstruct the tensor described by ``q`` in its original shape and dtype."""
    num_elements = math.prod(q.shape)
    # Unpack
    high = torch.bitwise_right_shift(q.codes, 4)
    low = torch.bitwise_and(q.codes, 0x0F)
    indices = torch.stack((high, low), dim=-1).reshape(-1)[:num_elements]
    # Look up
    levels = nf4_levels().to(q.codes.device)
    values = levels[indices.to(torch.int64)]
    # Scale
    blocks = _to_blocks(values, q.block_size) * q.absmax.to(torch.float32).unsqueeze(1)
    return blocks.reshape(-1)[:num_elements].to(q.dtype).reshape(q.shape)


# ---------------------------------------------------------------------------
# Double quantization
# ---------------------------------------------------------------------------
def double_quantize(absmax: torch.Tensor, *, block_size: int = ABSMAX_BLOCK_SIZE) -> DoubleQuantized:
    """Quantize the scales themselves to signed 8-bit integers around their mean."""
    _validate_tensor(absmax, "absmax")
    _validate_positive_int(block_size, "block_size")
    with torch.no_grad():
        flat = absmax.detach().to(torch.float32).reshape(-1)
        mean = flat.mean()
        blocks = _to_blocks(flat - mean, block_size)
        scales = blocks.abs().max(dim=1).values / 127.0
        codes = torch.round(blocks / _safe_divisor(scales).unsqueeze(1))
        codes = torch.clamp(codes, -127, 127).to(torch.int8).reshape(-1)[: flat.numel()].contiguous()
    return DoubleQuantized(codes=codes, scales=scales, mean=mean, block_size=block_size)


def double_dequantize(q: DoubleQuantized) -> torch.Tensor:
    """Inverse of :func:`double_quantize`, up to half a step."""
    blocks = _to_blocks(q.codes.to(torch.float32), q.block_size)
    blocks = blocks * q.scales.to(torch.float32).unsqueeze(1)
    return blocks.reshape(-1)[: q.codes.numel()] + q.mean.to(torch.float32)


# ---------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------
class NF4Linear(nn.Module):
    """A frozen linear layer whose weight is stored in NF4 with double-quantized constants."""

    def __init__(self, linear: nn.Linear) -> None:
        _validate_type(linear, nn.Linear, "linear")
        super().__init__()
        self.in_features: int = linear.in_features
        self.out_features: int = linear.out_features

        quantized = quantize_nf4(linear.weight, block_size=NF4_BLOCK_SIZE)
        constants = double_quantize(quantized.absmax, block_size=ABSMAX_BLOCK_SIZE)
        self.register_buffer("weight_codes", quantized.codes)
        self.register_buffer("absmax_codes", constants.codes)
        self.register_buffer("absmax_scales", constants.scales)
        self.register_buffer("absmax_mean", constants.mean)

        self.bias: Optional[nn.Parameter]
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
        else:
            self.register_parameter("bias", None)

    def dequantized_weight(self) -> torch.Tensor:
        """Return the dequantized weight of shape ``(out_features, in_features)`` in float32."""
        absmax = double_dequantize(
            DoubleQuantized(
                codes=self.absmax_codes,
                scales=self.absmax_scales,
                mean=self.absmax_mean,
                block_size=ABSMAX_BLOCK_SIZE,
            )
        )
        return dequantize_nf4(
            Quantized(
                codes=self.weight_codes,
                absmax=absmax,
                shape=torch.Size((self.out_features, self.in_features)),
                dtype=torch.float32,
                block_size=NF4_BLOCK_SIZE,
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.dequantized_weight().to(dtype=x.dtype)
        bias = self.bias.to(dtype=x.dtype) if self.bias is not None else None
        return F.linear(x, weight, bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


# ---------------------------------------------------------------------------
# Model surgery
# ---------------------------------------------------------------------------
def _compute_model_bytes(model: nn.Module) -> int:
    """Sum up the bytes of all unique parameters and buffers."""
    seen: set = set()
    total = 0
    for tensor in list(model.parameters()) + list(model.buffers()):
        if id(tensor) not in seen:
            seen.add(id(tensor))
            total += tensor.numel() * tensor.element_size()
    return total


def _find_tied_weights(model: nn.Module) -> set:
    """Return the ids of parameters that are held by more than one module."""
    holders: Dict[int, List[nn.Module]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            holders.setdefault(id(parameter), []).append(module)
    return {key for key, modules in holders.items() if len(modules) > 1}


def quantize_model(model: nn.Module, skip: Sequence[str] = ("lm_head",)) -> Dict[str, Any]:
    """
    Replace the linear layers of ``model`` by :class:`NF4Linear`, in place.

    Returns:
        A dictionary with ``layers``, ``bytes_before`` and ``bytes_after``.
    """
    _validate_type(model, nn.Module, "model")
    if isinstance(skip, (str, bytes)):
        raise TypeError(f"`skip` must be a list of names, but got the string {skip!r}. Use [{skip!r}] instead.")
    skip_names = set(skip)

    tied = _find_tied_weights(model)
    lora_bases = {id(module.base) for module in model.modules() if isinstance(module, LoRALinear)}
    bytes_before = _compute_model_bytes(model)

    # First pass: collect candidates together with all their locations
    locations: Dict[int, List[str]] = {}
    candidates: Dict[int, nn.Linear] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if not isinstance(module, nn.Linear) or module is model:
            continue
        if name.split(".")[-1] in skip_names:
            logger.debug("skipping %s", name)
            continue
        if id(module) in lora_bases or id(module.weight) in tied:
            logger.debug("protected %s", name)
            continue
        candidates[id(module)] = module
        locations.setdefault(id(module), []).append(name)

    if not candidates:
        linear_names = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
        raise ValueError(
            f"`model` must contain at least one quantizable nn.Linear; with skip={sorted(skip_names)} "
            f"none is left of {linear_names or 'no linear layers at all'}."
        )

    # Second pass: quantize everything before touching the model
    replacements = {key: NF4Linear(module).train(module.training) for key, module in candidates.items()}

    # Third pass: swap
    for key, names in locations.items():
        for name in names:
            parent_name, _, child_name = name.rpartition(".")
            parent = model.get_submodule(parent_name) if parent_name else model
            setattr(parent, child_name, replacements[key])

    return {
        "layers": [names[0] for names in locations.values()],
        "bytes_before": bytes_before,
        "bytes_after": _compute_model_bytes(model),
    }


def _enable_output_gradients(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
    """Forward hook: make the output of the embedding require a gradient."""
    output.requires_grad_(True)


def prepare_for_training(model: nn.Module) -> nn.Module:
    """Freeze the model, upcast half-precision parameters, and enable input gradients."""
    get_embeddings = getattr(model, "get_input_embeddings", None)
    if not callable(get_embeddings):
        raise ValueError(
            f"`model` must define a `get_input_embeddings()` method, but {type(model).__name__} does not."
        )

    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if parameter.dtype in HALF_DTYPES:
            parameter.data = parameter.data.to(torch.float32)

    embeddings = get_embeddings()
    if not isinstance(embeddings, nn.Module):
        raise ValueError(f"`model.get_input_embeddings()` must return a module, but returned {embeddings!r}.")

    def enable(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        _enable_output_gradients(module, inputs, output)

    already_registered = enable in embeddings._forward_hooks.values()
    if not already_registered:
        embeddings.register_forward_hook(enable)
    return model


class QLoRALinear(nn.Module):
    """LoRA adapter on top of a 4-bit base layer."""

    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        _validate_type(base, NF4Linear, "base")
        _validate_positive_int(rank, "rank")
        _validate_probability(dropout, "dropout")
        super().__init__()
        self.base = base
        self.base.requires_grad_(False)
        self.rank = rank
        self.alpha = alpha
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(p=dropout)

        device = base.weight_codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.empty(base.out_features, rank, dtype=torch.float32, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        base_output = self.base(x)
        adapter_input = self.dropout(x.to(torch.float32))
        adapter_output = F.linear(F.linear(adapter_input, self.lora_A), self.lora_B)
        adapter_output = adapter_output * self.scaling
        return base_output + adapter_output.to(x.dtype)

    def delta_weight(self) -> torch.Tensor:
        """Return ``scaling * B @ A`` of shape ``(out_features, in_features)``."""
        return self.scaling * torch.matmul(self.lora_B, self.lora_A)

    def merge(self) -> nn.Linear:
        """Return a plain float32 ``nn.Linear`` with the adapter folded in. The layer itself is unchanged."""
        with torch.no_grad():
            merged_weight = self.base.dequantized_weight() + self.delta_weight()
            linear = nn.Linear(
                self.base.in_features,
                self.base.out_features,
                bias=self.base.bias is not None,
                device=merged_weight.device,
                dtype=torch.float32,
            )
            linear.weight.copy_(merged_weight)
            if self.base.bias is not None:
                linear.bias.copy_(self.base.bias.to(torch.float32))
        linear.train(self.training)
        return linear
