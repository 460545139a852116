# WRONG qlora: the update is computed in the dtype of x (factors cast down to it) instead of in float32
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypedDict, TypeVar, runtime_checkable

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


M = TypeVar("M", bound=nn.Module)
WEIGHT_BLOCK: Final = 64
CONSTANT_BLOCK: Final = 256
HALF: Final[frozenset[torch.dtype]] = frozenset({torch.float16, torch.bfloat16})


class Report(TypedDict):
    layers: list[str]
    bytes_before: int
    bytes_after: int


@runtime_checkable
class HasInputEmbeddings(Protocol):
    def get_input_embeddings(self) -> nn.Module: ...


class ForwardHook(Protocol):
    def __call__(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None: ...


def nf4_levels() -> Tensor:
    offset: float = 1 - (1 / 30 + 1 / 32) / 2
    icdf = torch.special.ndtri
    grid = lambda steps: torch.linspace(offset, 0.5, steps, dtype=torch.float64)[:-1]  # noqa: E731
    levels: Tensor = torch.empty(16, dtype=torch.float64)
    levels[:7] = icdf(grid(8)).neg()
    levels[7] = 0.0
    levels[8:] = icdf(grid(9))
    levels, _ = torch.sort(levels)
    return levels.div_(levels.max().clone()).to(dtype=torch.float32)


def _positive(value: int, name: str) -> int:
    if value < 1:
        raise ValueError(f"{name}: expected an int >= 1, got {value}")
    return value


def _finite(value: Tensor, name: str) -> Tensor:
    if value.numel() == 0:
        raise ValueError(f"{name}: expected a non-empty tensor, got shape {tuple(value.shape)}")
    flat = value.detach().ravel().to(torch.float32)
    if not bool(torch.isfinite(flat).all()):
        raise ValueError(f"{name}: expected finite numbers, got {flat[~torch.isfinite(flat)][0].item()}")
    return flat


def _body_and_tail(flat: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The full blocks as a matrix, and what is left as a vector."""
    cut = flat.numel() - flat.numel() % size
    return flat[:cut].unflatten(0, (cut // size, size)), flat[cut:]


def _peaks(flat: Tensor, size: int) -> Tensor:
    body, tail = _body_and_tail(flat.abs(), size)
    peaks = [body.amax(dim=1)] if body.numel() else []
    if tail.numel():
        peaks.append(tail.amax().unsqueeze(0))
    return torch.cat(peaks)


def _per_number(constants: Tensor, size: int, count: int) -> Tensor:
    return constants.float().repeat_interleave(size)[:count]


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Zero where the denominator is."""
    return torch.where(denominator == 0, torch.zeros_like(numerator), numerator / denominator)


def quantize_nf4(weight: Tensor, *, block_size: int = WEIGHT_BLOCK) -> Quantized:
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight: expected a Tensor, got {type(weight).__name__}")
    if not weight.is_floating_point():
        raise TypeError(f"weight: expected a floating dtype, got {weight.dtype}")
    size = _positive(block_size, "block_size")
    flat = _finite(weight, "weight")
    absmax = _peaks(flat, size)
    unit = _ratio(flat, _per_number(absmax, size, flat.numel()))
    levels = nf4_levels().to(unit.device)
    nearest = torch.cdist(unit.unsqueeze(1).double(), levels.unsqueeze(1).double()).argmin(dim=1).to(torch.uint8)
    if nearest.numel() & 1:
        nearest = torch.cat((nearest, torch.tensor([7], dtype=torch.uint8, device=nearest.device)))
    high, low = nearest.unflatten(0, (-1, 2)).unbind(-1)
    return Quantized(codes=high << 4 | low, absmax=absmax, shape=weight.shape, dtype=weight.dtype, block_size=size)


def dequantize_nf4(q: Quantized) -> Tensor:
    count = math.prod(q.shape)
    index = torch.stack((q.codes >> 4, q.codes & 0b1111), dim=-1).flatten()[:count]
    values = torch.gather(nf4_levels().to(q.codes.device), 0, index.to(torch.int64))
    return (values * _per_number(q.absmax, q.block_size, count)).to(q.dtype).reshape(q.shape)


def double_quantize(absmax: Tensor, *, block_size: int = CONSTANT_BLOCK) -> DoubleQuantized:
    size = _positive(block_size, "block_size")
    flat = _finite(absmax, "absmax")
    mean = flat.mean(dtype=torch.float64).to(torch.float32)
    centred = flat - mean
    scales = _peaks(centred, size) / 127
    codes = _ratio(centred, _per_number(scales, size, flat.numel())).round().clamp(-127, 127).to(torch.int8)
    return DoubleQuantized(codes=codes, scales=scales, mean=mean, block_size=size)


def double_dequantize(q: DoubleQuantized) -> Tensor:
    offsets: Tensor = q.codes.to(torch.float32) * _per_number(q.scales, q.block_size, q.codes.numel())
    return offsets.add(q.mean.to(torch.float32)).clamp_(min=0.0)


class NF4Linear(nn.Module):
    in_features: int
    out_features: int
    bias: nn.Parameter | None
    weight_codes: Tensor
    constant_codes: Tensor
    constant_scales: Tensor
    constant_mean: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear: expected an nn.Linear, got {type(linear).__name__}")
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        weight = quantize_nf4(linear.weight, block_size=WEIGHT_BLOCK)
        constant = double_quantize(weight.absmax, block_size=CONSTANT_BLOCK)
        buffers: Mapping[str, Tensor] = {
            "weight_codes": weight.codes,
            **{f"constant_{k}": v for k, v in vars(constant).items() if isinstance(v, Tensor)},
        }
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)
        frozen = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
        self.register_parameter("bias", frozen)

    def dequantized_weight(self) -> Tensor:
        constant = DoubleQuantized(self.constant_codes, self.constant_scales, self.constant_mean, CONSTANT_BLOCK)
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.weight_codes, double_dequantize(constant), shape, torch.float32, WEIGHT_BLOCK))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.dequantized_weight().to(x.dtype)
        return nn.functional.linear(x, weight, None if self.bias is None else self.bias.to(x.dtype))


def _storage(model: nn.Module) -> int:
    tensors: dict[int, Tensor] = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _owners(model: nn.Module) -> dict[nn.Parameter, set[nn.Module]]:
    owners: dict[nn.Parameter, set[nn.Module]] = {}
    for module in model.modules():
        for _, parameter in module.named_parameters(recurse=False):
            owners.setdefault(parameter, set()).add(module)
    return owners


def quantize_model(model: nn.Module, skip: Iterable[str] = ("lm_head",)) -> Report:
    if isinstance(skip, str):
        raise TypeError(f"skip: expected a list of names, got the string {skip!r}")
    excluded: frozenset[str] = frozenset(skip)
    owners = _owners(model)
    bases: set[nn.Module] = {module.base for module in model.modules() if isinstance(module, LoRALinear)}
    chosen: dict[nn.Linear, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        *_, last = name.split(".")
        if not name or last in excluded or not isinstance(module, nn.Linear):
            continue
        if module in bases or owners.get(module.weight, {module}) != {module}:
            continue
        chosen.setdefault(module, []).append(name)
    if not chosen:
        raise ValueError(f"model: expected a linear layer outside skip={sorted(excluded)}, got none in {type(model).__name__}")
    before = _storage(model)
    for module, names in chosen.items():
        new = NF4Linear(module).train(module.training)
        for name in names:
            try:
                parent, key = name.rsplit(".", 1)
            except ValueError:
                parent, key = "", name
            model.get_submodule(parent).register_module(key, new)
    return Report(layers=[names[0] for names in chosen.values()], bytes_before=before, bytes_after=_storage(model))


class RequireInputGrad:
    def __call__(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        output.requires_grad_(True)
        return None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


def prepare_for_training(model: M) -> M:
    if not isinstance(model, HasInputEmbeddings):
        raise ValueError(f"model: expected one with get_input_embeddings(), got {type(model).__name__}")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        if parameter.dtype in HALF:
            parameter.data = parameter.data.to(torch.float32)
    embeddings = model.get_input_embeddings()
    hook: ForwardHook = RequireInputGrad()
    if hook not in list(embeddings._forward_hooks.values()):
        embeddings.register_forward_hook(hook)
    return model


class QLoRALinear(nn.Module):
    lora_A: nn.Parameter
    lora_B: nn.Parameter

    def __init__(self, base: NF4Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base: expected an NF4Linear, got {type(base).__name__}")
        _positive(rank, "rank")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected a number in [0, 1), got {dropout}")
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scaling: float = alpha / rank
        self.dropout = nn.Dropout(dropout)
        device = base.weight_codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.einsum("...i,ri->...r", self.dropout(x), self.lora_A.to(x.dtype))
        update = torch.einsum("...r,or->...o", hidden * self.scaling, self.lora_B.to(x.dtype))
        return self.base(x) + update.to(x.dtype)

    def delta_weight(self) -> Tensor:
        return torch.einsum("or,ri->oi", self.lora_B, self.lora_A) * self.scaling

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        weight = self.base.dequantized_weight() + self.delta_weight()
        merged = nn.utils.skip_init(
            nn.Linear, self.base.in_features, self.base.out_features, bias=self.base.bias is not None, dtype=torch.float32
        ).to(weight.device)
        merged.weight.copy_(weight)
        if self.base.bias is not None:
            merged.bias.copy_(self.base.bias)
        return merged
