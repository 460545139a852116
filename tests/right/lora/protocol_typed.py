# RIGHT lora: heavily typed (Protocol, TypeGuard, Final, overloads, TypeAlias), sites come from named_modules(remove_duplicate=False)
from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias, TypeGuard, TypeVar, overload, runtime_checkable

import torch
from torch import Tensor, nn

StateDict: TypeAlias = "dict[str, Tensor]"
FactorName = Literal["lora_A", "lora_B"]
FACTORS: Final[tuple[FactorName, ...]] = ("lora_A", "lora_B")
M = TypeVar("M", bound=nn.Module)


@runtime_checkable
class SupportsMerge(Protocol):
    @property
    def merged(self) -> bool: ...
    def merge(self) -> None: ...
    def unmerge(self) -> None: ...
    def delta_weight(self) -> Tensor: ...


class LoRALinear(nn.Module):
    base: nn.Linear
    lora_A: nn.Parameter
    lora_B: nn.Parameter
    scaling: Final[float]
    _is_merged: bool

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(_complain("base", type(base).__name__, "an instance of nn.Linear"))
        if rank < 1:
            raise ValueError(_complain("rank", rank, "an int >= 1"))
        if not 0.0 <= dropout < 1.0:
            raise ValueError(_complain("dropout", dropout, "a float in [0, 1)"))
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank  # type: ignore[misc]
        self._dropout: nn.Module = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self._is_merged = False
        weight: Tensor = base.weight
        self.lora_A = nn.Parameter(weight.new_empty(rank, base.in_features))
        self.lora_B = nn.Parameter(weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    @property
    def merged(self) -> bool:
        return self._is_merged

    def delta_weight(self) -> Tensor:
        return self.scaling * (self.lora_B @ self.lora_A)

    def merge(self) -> None:
        self._set(True)

    def unmerge(self) -> None:
        self._set(False)

    @torch.no_grad()
    def _set(self, wanted: bool) -> None:
        if wanted is self._is_merged:
            return
        delta: Tensor = self.delta_weight()
        self.base.weight.add_(delta if wanted else -delta)
        self._is_merged = wanted

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x)
        if self._is_merged:
            return out
        hidden: Tensor = nn.functional.linear(self._dropout(x), self.lora_A)
        return out + nn.functional.linear(hidden, self.lora_B) * self.scaling


def _complain(argument: str, given: object, allowed: str) -> str:
    return f"Bad value for argument {argument!r}: {given!r}. Allowed: {allowed}."


class Site(NamedTuple):
    name: str
    parent: nn.Module
    attribute: str

    @property
    def occupant(self) -> nn.Module:
        return self.parent._modules[self.attribute]  # type: ignore[return-value]

    def put(self, module: nn.Module) -> None:
        self.parent.register_module(self.attribute, module)


def is_lora(module: object) -> TypeGuard[LoRALinear]:
    return isinstance(module, LoRALinear)


def is_plain(module: object) -> TypeGuard[nn.Linear]:
    return isinstance(module, nn.Linear)


def _sites(model: nn.Module) -> Iterator[Site]:
    taken: set[tuple[int, str]] = set()
    for name, _ in list(model.named_modules(remove_duplicate=False)):
        if name == "":
            continue
        path, _, attribute = name.rpartition(".")
        parent: nn.Module = model.get_submodule(path)
        if is_lora(parent) or any(is_lora(model.get_submodule(path[:i])) for i, c in enumerate(path) if c == "."):
            continue
        if (id(parent), attribute) in taken:
            continue
        taken.add((id(parent), attribute))
        yield Site(name, parent, attribute)


def _layers(model: nn.Module) -> dict[str, LoRALinear]:
    return {name: module for name, module in model.named_modules() if is_lora(module)}


def inject_lora(
    model: nn.Module,
    target_modules: Collection[str],
    rank: int,
    alpha: float,
    dropout: float = 0.0,
) -> list[str]:
    if isinstance(target_modules, str):
        raise TypeError(_complain("target_modules", target_modules, "a list of str, not a str"))
    linear: list[Site] = [s for s in _sites(model) if is_plain(s.occupant) or is_lora(s.occupant)]
    matching: list[Site] = [s for s in linear if s.attribute in target_modules]
    if not matching:
        raise ValueError(_complain("target_modules", list(target_modules), f"last parts of {[s.name for s in linear]}"))

    for parameter in model.parameters():
        parameter.requires_grad_(False)

    by_base: dict[nn.Linear, LoRALinear] = {layer.base: layer for layer in _layers(model).values()}
    wrapped: list[str] = []
    for site in matching:
        module = site.occupant
        if not is_plain(module):
            continue
        if module not in by_base:
            by_base[module] = LoRALinear(module, rank, alpha, dropout)
            by_base[module].train(mode=module.training)
        site.put(by_base[module])
        wrapped.append(site.name)

    for layer in _layers(model).values():
        for factor in FACTORS:
            getattr(layer, factor).requires_grad_(True)
    return wrapped


def _parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    return {
        (f"{name}.{factor}" if name else factor): getattr(layer, factor)
        for name, layer in _layers(model).items()
        for factor in FACTORS
    }


def lora_state_dict(model: nn.Module) -> StateDict:
    return {name: parameter.detach() for name, parameter in _parameters(model).items()}


def load_lora_state_dict(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    parameters = _parameters(model)
    errors: list[str] = []
    for name in parameters.keys() | state.keys():
        if name not in state:
            errors.append(f"{name} is missing")
        elif name not in parameters:
            errors.append(f"{name} is unexpected")
        elif parameters[name].shape != state[name].shape:
            errors.append(f"{name} is {tuple(state[name].shape)} instead of {tuple(parameters[name].shape)}")
    if errors:
        raise ValueError(_complain("state", "; ".join(sorted(errors)), f"exactly {sorted(parameters)}"))
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(state[name])


@overload
def merge_lora(model: LoRALinear) -> nn.Linear: ...
@overload
def merge_lora(model: M) -> M: ...


def merge_lora(model):
    if is_lora(model):
        return _merged_linear(model)
    memo: dict[int, nn.Linear] = {}
    for site in list(_sites(model)):
        layer = site.occupant
        if is_lora(layer):
            if id(layer) not in memo:
                memo[id(layer)] = _merged_linear(layer)
                memo[-id(layer)] = layer  # type: ignore[assignment]  # keep alive, ids must not be reused
            site.put(memo[id(layer)])
    return model


@torch.no_grad()
def _merged_linear(layer: LoRALinear) -> nn.Linear:
    assert isinstance(layer, SupportsMerge)
    base: nn.Linear = layer.base
    weight: Tensor = base.weight.clone()
    if not layer.merged:
        weight += layer.delta_weight()
    linear = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None, device="meta", dtype=weight.dtype)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if base.bias is not None:
        linear.bias = nn.Parameter(base.bias.clone(), requires_grad=False)
    linear.train(layer.training)
    return linear
