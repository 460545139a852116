"""QLoRA: LoRA on a base of four bits (Dettmers et al., arXiv 2305.14314).

The frozen weight is stored as codes of 16 levels, NF4, with one constant for each block of 64 numbers, and these constants in
eight bits. It is expanded for each product; only the adapter trains:

    y = dequantise(codes) x + (alpha / r) · B A x        4 + 8/64 + 32/(64 · 256) = 4.127 bits for each frozen number

Names follow bitsandbytes and Hugging Face PEFT.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
import torch.nn.functional as F
from torch import nn

from solutions.lora import LoRALinear


@dataclass(frozen=True)
class Quantized:
    """A tensor in four bits.

    Attributes:
        codes: uint8, 1-D; two codes a byte, the first one in the high four bits.
        absmax: float32, 1-D; the largest size in each block.
        shape, dtype: those of the tensor.
        block_size: how many numbers share one absmax.
    """

    codes: torch.Tensor
    absmax: torch.Tensor
    shape: torch.Size
    dtype: torch.dtype
    block_size: int


@dataclass(frozen=True)
class DoubleQuantized:
    """The constants of a quantised tensor in eight bits.

    Attributes:
        codes: int8, 1-D.
        scales: float32, 1-D; the step of each block.
        mean: float32, 0-D; taken off all numbers before.
        block_size: how many numbers share one scale.
    """

    codes: torch.Tensor
    scales: torch.Tensor
    mean: torch.Tensor
    block_size: int


def nf4_levels() -> torch.Tensor:
    """The 16 levels of NF4, ascending, float32: quantiles of the normal, scaled to end at -1 and 1.

    With offset = 1 - (1/30 + 1/32)/2 there are 8 positive levels, the quantiles at
    linspace(offset, 0.5, 9)[:-1]; 7 negative ones, minus the quantiles at linspace(offset, 0.5, 8)[:-1];
    and an exact zero (arXiv 2305.14314, appendix E; the recipe is that of bitsandbytes).
    """
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    offset = 1 - (1 / 30 + 1 / 32) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    negative = -normal.icdf(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (levels / levels.abs().max()).float()


def quantize_nf4(weight: torch.Tensor, *, block_size: int = 64) -> Quantized:
    """A tensor of any shape in four bits a number.

    Blocks are block_size numbers in row-major order; the last one may be short. Each number over the
    absmax of its block becomes the code of the nearest level. The codes run on across blocks, two a byte;
    if their count is odd, the code of 0 fills the last byte. A block of zeros stays exactly zero.

    Raises:
        TypeError: the dtype is not floating.
        ValueError: block_size is below 1, or weight is empty or holds a number that is not finite.
    """
    if not weight.is_floating_point():
        raise TypeError(f"weight must have a floating dtype, got {weight.dtype}")
    values = weight.detach().float().reshape(-1)
    _check_numbers("weight", values, block_size)
    blocks = _blocks(values, block_size)
    absmax = blocks.abs().amax(dim=1)
    shares = blocks / absmax.where(absmax > 0, 1.0)[:, None]
    levels = nf4_levels().to(values.device)
    middles = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(shares, middles).flatten()[: len(values)]  # of the nearest level
    codes = F.pad(codes, (0, len(codes) % 2), value=7).to(torch.uint8)  # 7 is the code of 0
    return Quantized(codes[0::2] << 4 | codes[1::2], absmax, weight.shape, weight.dtype, block_size)


def dequantize_nf4(q: Quantized) -> torch.Tensor:
    """The tensor that the codes stand for, in its shape and dtype.

    Computed in float32 and rounded once, at the end.
    """
    codes = torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten()[: math.prod(q.shape)]
    scale = q.absmax.repeat_interleave(q.block_size)[: len(codes)]
    values = nf4_levels().to(codes.device)[codes.long()] * scale
    return values.to(q.dtype).reshape(q.shape)


def double_quantize(absmax: torch.Tensor, *, block_size: int = 256) -> DoubleQuantized:
    """The constants of a quantised tensor in eight bits: less their mean, in blocks (2305.14314, §3).

    A block has the step max |x| / 127, and a number becomes the nearest whole number of steps.

    Raises:
        ValueError: block_size is below 1, or absmax is empty or holds a number that is not finite.
    """
    values = absmax.detach().float().reshape(-1)
    _check_numbers("absmax", values, block_size)
    mean = values.mean()  # all are positive: without it, half of the codes would never be used
    blocks = _blocks(values - mean, block_size)
    scales = blocks.abs().amax(dim=1) / 127
    codes = torch.round(blocks / scales.where(scales > 0, 1.0)[:, None])
    return DoubleQuantized(codes.flatten()[: len(values)].to(torch.int8), scales, mean, block_size)


def double_dequantize(q: DoubleQuantized) -> torch.Tensor:
    """The constants that the codes stand for: float32, 1-D. Each is within half a step of its block."""
    return q.codes.float() * q.scales.repeat_interleave(q.block_size)[: len(q.codes)] + q.mean


class NF4Linear(nn.Module):
    """A frozen linear layer with its weight in NF4 and the constants in eight bits: 4.127 bits a number.

    forward(x) = dequantized_weight() x + bias, in the dtype of x

    The weight is expanded anew for each product. Gradients reach x, and nothing else.

    Attributes:
        in_features, out_features: as in nn.Linear.
        codes, absmax_codes, absmax_scales, absmax_mean: buffers, fields of Quantized and DoubleQuantized.
        bias: a frozen parameter, or None.

    Raises:
        TypeError: linear is not an nn.Linear.
    """

    def __init__(self, linear: nn.Linear):
        """Quantise the weight of a linear layer, and take its bias as it is."""
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        quantized = quantize_nf4(linear.weight, block_size=64)
        absmax = double_quantize(quantized.absmax, block_size=256)
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("absmax_codes", absmax.codes)
        self.register_buffer("absmax_scales", absmax.scales)
        self.register_buffer("absmax_mean", absmax.mean)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., in_features) -> (..., out_features), in the dtype of x."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.dequantized_weight().to(x.dtype), bias)

    def dequantized_weight(self) -> torch.Tensor:
        """The weight that the layer computes with: float32, (out_features, in_features)."""
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.codes, absmax, shape, torch.float32, 64))


def quantize_model(model: nn.Module, skip: Sequence[str] = ("lm_head",)) -> dict:
    """Put an NF4Linear in the place of every nn.Linear below the root of the model, in place.

    Left as they are: layers whose last name part is in skip, the base of a LoRALinear, and layers that
    share their weight with another module, as a head that is tied to the embedding. A layer under two
    names is replaced at both.

    Returns:
        A dict of layers (qualified names in model order, each layer once), bytes_before and bytes_after
        (of parameters and buffers; a shared tensor counts once).

    Raises:
        ValueError: there is no layer to quantise, as after a call before.
        TypeError: skip is a string.
    """
    if isinstance(skip, str):  # "head" in "lm_head" would be true
        raise TypeError(f"skip must be a list of names, got the string {skip!r}")
    bytes_before = _bytes(model)
    names: dict[nn.Linear, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if name and isinstance(module, nn.Linear):
            names.setdefault(module, []).append(name)
    kept = {module.base for module in model.modules() if isinstance(module, LoRALinear)} | _tied(model)
    layers = {
        layer: places
        for layer, places in names.items()
        if layer not in kept and not any(place.rpartition(".")[2] in skip for place in places)
    }
    if not layers:
        raise ValueError(f"model has no linear layer to quantise: skip={list(skip)}, and layers with LoRA or a tied weight stay")
    for layer, places in layers.items():
        quantized = NF4Linear(layer)
        for place in places:
            _replace(model, place, quantized)
    return {"layers": [places[0] for places in layers.values()], "bytes_before": bytes_before, "bytes_after": _bytes(model)}


def prepare_for_training(model: nn.Module) -> nn.Module:
    """Make a quantised model ready for adapters, as PEFT's prepare_model_for_kbit_training does.

    Call it before adding them. Freezes everything, puts each parameter that is in 16 bits in float32
    (norms, biases, the head), and makes the output of the input embeddings require a gradient: a
    checkpointed block passes gradients on only if its input asks for one. A second call adds nothing.

    Returns:
        The model.

    Raises:
        ValueError: the model has no get_input_embeddings(). Nothing is changed then.
    """
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model


class QLoRALinear(nn.Module):
    """A frozen layer in four bits with a trainable low-rank update beside it.

    forward(x) = base(x) + scaling · B A dropout(x)

    The update is computed in float32 and added in the dtype of x.

    Attributes:
        base: the NF4Linear.
        lora_A: parameter (rank, in_features), float32, Kaiming-uniform with a = √5.
        lora_B: parameter (out_features, rank), float32, zeros.
        scaling: alpha / rank.

    Raises:
        TypeError: base is not an NF4Linear.
        ValueError: rank is below 1, or dropout lies outside [0, 1).
    """

    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0):
        """Keep the base, and make the two factors."""
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base must be an NF4Linear, got {type(base).__name__}")
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.base = base
        device = base.codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # U(-1/√in, 1/√in)
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., in_features) -> (..., out_features), in the dtype of x."""
        low_rank = F.linear(self.dropout(x).float(), self.lora_A)  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)

    def delta_weight(self) -> torch.Tensor:
        """The update as one matrix: scaling · B A, float32, shape (out_features, in_features)."""
        return self.scaling * (self.lora_B @ self.lora_A)

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """A plain layer in float32: the dequantised weight, plus the update.

        The adapter was trained on that weight. self stays as it is.
        """
        bias = self.base.bias
        merged = nn.Linear(self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32)
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        if bias is not None:
            merged.bias.copy_(bias)
        return merged


def inject_qlora(
    model: nn.Module, target_modules: Sequence[str], rank: int, alpha: float, dropout: float = 0.0
) -> list[str]:
    """Put a QLoRALinear in the place of every NF4Linear whose last name part is in target_modules.

    Returns their qualified names.
    """
    layers = {name: module for name, module in model.named_modules() if isinstance(module, NF4Linear)}
    targets = [name for name in layers if name.rpartition(".")[2] in target_modules]
    if not targets:
        there = ", ".join(layers) or "none"
        raise ValueError(f"no NF4Linear matches target_modules={list(target_modules)}; there are {there}")
    for name in targets:
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, QLoRALinear(layers[name], rank, alpha, dropout))
    return targets


def merge_qlora(model: nn.Module) -> nn.Module:
    """Put the merged layer in the place of every QLoRALinear.

    Returns the model, whose other layers stay in four bits.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, QLoRALinear):
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, module.merge())
    return model


def _check_numbers(name: str, values: torch.Tensor, block_size: int) -> None:
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    if not values.numel():
        raise ValueError(f"{name} is empty")
    if not values.isfinite().all():
        raise ValueError(f"{name} holds a number that is not finite in float32")


def _blocks(values: torch.Tensor, block_size: int) -> torch.Tensor:
    """The numbers in rows of block_size, the last row filled up with zeros."""
    return F.pad(values, (0, -len(values) % block_size)).view(-1, block_size)


def _tied(model: nn.Module) -> set[nn.Module]:
    """The modules whose weight is also a parameter of another module."""
    owners: dict[torch.Tensor, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in {id(parameter): parameter for parameter in module._parameters.values() if parameter is not None}.values():
            owners.setdefault(parameter, []).append(module)
    return {module for module in model.modules() if len(owners.get(getattr(module, "weight", None), ())) > 1}


def _bytes(model: nn.Module) -> int:
    """The bytes of all parameters and buffers, a shared one once."""
    return sum(tensor.nbytes for tensor in chain(model.parameters(), model.buffers()))


def _ask_for_a_gradient(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
    output.requires_grad_(True)


def _replace(model: nn.Module, name: str, new: nn.Module) -> None:
    """Put a module in the place of the one with this qualified name."""
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
