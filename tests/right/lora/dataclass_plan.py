# RIGHT lora: dataclasses with future annotations, injection is first planned as a list of Site objects and then carried out
from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Fold(Enum):
    OUT = auto()
    IN = auto()


@dataclass(frozen=True)
class Spec:
    rank: int
    alpha: float
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank={self.rank!r} was given; allowed: rank >= 1")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout={self.dropout!r} was given; allowed: 0 <= dropout < 1")

    @property
    def scaling(self) -> float:
        return self.alpha / self.rank


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base={type(base).__name__} was given; allowed: nn.Linear and its subclasses")
        spec = Spec(rank, alpha, dropout)
        super().__init__()
        self.spec = spec
        self.base = base
        base.weight.requires_grad_(False)
        if base.bias is not None:
            base.bias.requires_grad_(False)
        like = {"dtype": base.weight.dtype, "device": base.weight.device}
        self.lora_A = nn.Parameter(torch.empty((rank, base.in_features), **like))
        self.lora_B = nn.Parameter(torch.empty((base.out_features, rank), **like))
        self.state = Fold.OUT
        self.reset()

    def reset(self) -> None:
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.constant_(self.lora_B, 0.0)

    @property
    def scaling(self) -> float:
        return self.spec.scaling

    @property
    def merged(self) -> bool:
        return self.state is Fold.IN

    def delta_weight(self) -> Tensor:
        # column by column: (A^T B^T)^T, times alpha / r
        return F.linear(self.lora_A.T, self.lora_B).T * self.scaling

    def merge(self) -> LoRALinear:
        if self.state is Fold.OUT:
            with torch.no_grad():
                torch.add(self.base.weight, self.delta_weight(), out=self.base.weight)
            self.state = Fold.IN
        return self

    def unmerge(self) -> LoRALinear:
        if self.state is Fold.IN:
            with torch.no_grad():
                torch.sub(self.base.weight, self.delta_weight(), out=self.base.weight)
            self.state = Fold.OUT
        return self

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        if self.state is Fold.IN:
            return y
        h = F.dropout(x, self.spec.dropout, self.training) if self.spec.dropout else x
        h = F.linear(h, self.lora_A)
        return torch.add(y, F.linear(h, self.lora_B), alpha=self.scaling)


@dataclass
class Site:
    """A place in the tree that holds a linear layer."""

    parent: nn.Module
    key: str
    path: str

    @property
    def module(self) -> nn.Module:
        return self.parent._modules[self.key]

    @module.setter
    def module(self, new: nn.Module) -> None:
        setattr(self.parent, self.key, new)

    @property
    def wrapped(self) -> bool:
        return isinstance(self.module, LoRALinear)


@dataclass
class Plan:
    model: nn.Module
    sites: list[Site] = field(default_factory=list)
    layers: dict[nn.Module, LoRALinear] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module) -> Plan:
        plan = cls(model)
        plan._collect(model, "")
        plan.layers = {m.base: m for m in model.modules() if isinstance(m, LoRALinear)}
        return plan

    def _collect(self, parent: nn.Module, prefix: str) -> None:
        if isinstance(parent, LoRALinear):
            return
        for key, child in parent._modules.items():
            if child is None:
                continue
            path = prefix + key
            if isinstance(child, (nn.Linear, LoRALinear)):
                self.sites.append(Site(parent, key, path))
            self._collect(child, path + ".")

    def select(self, names: set[str]) -> list[Site]:
        return [site for site in self.sites if site.key in names]

    def wrap(self, site: Site, spec: Spec) -> str:
        base = site.module
        if base not in self.layers:
            layer = LoRALinear(base, spec.rank, spec.alpha, spec.dropout)
            layer.training = base.training
            self.layers[base] = layer
        site.module = self.layers[base]
        return site.path

    def train_factors_only(self) -> None:
        allowed = {id(p) for layer in self.layers.values() for p in (layer.lora_A, layer.lora_B)}
        for p in self.model.parameters():
            p.requires_grad_(id(p) in allowed)


def inject_lora(
    model: nn.Module, target_modules: list[str], rank: int, alpha: float, dropout: float = 0.0
) -> list[str]:
    if isinstance(target_modules, (str, bytes)):
        raise TypeError(f"target_modules={target_modules!r} was given; allowed: a list of strings")
    spec = Spec(rank, alpha, dropout)
    plan = Plan.of(model)
    chosen = plan.select(set(target_modules))
    if not chosen:
        raise ValueError(
            f"target_modules={list(target_modules)!r} was given; allowed: last name parts of the linear layers "
            f"{[site.path for site in plan.sites]}"
        )
    names = [plan.wrap(site, spec) for site in chosen if not site.wrapped]
    plan.train_factors_only()
    return names


def lora_state_dict(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in _own(model).items()}


def _own(model: nn.Module) -> dict[str, nn.Parameter]:
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, LoRALinear)]
    own: dict[str, nn.Parameter] = {}
    for name, layer in layers:
        for key, p in layer.named_parameters(prefix=name, recurse=False):
            own[key] = p
    return own


@dataclass
class LoadReport:
    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]

    def raise_if_bad(self) -> None:
        if self.missing or self.unexpected or self.misshapen:
            raise ValueError(f"state does not fit the model: {self}")


def load_lora_state_dict(model: nn.Module, state: dict[str, Tensor]) -> None:
    own = _own(model)
    LoadReport(
        missing=[k for k in own if k not in state],
        unexpected=[k for k in state if k not in own],
        misshapen=[f"{k} (given {tuple(state[k].shape)}, allowed {tuple(p.shape)})"
                   for k, p in own.items() if k in state and state[k].shape != p.shape],
    ).raise_if_bad()
    for k, p in own.items():
        p.data.copy_(state[k])


def merge_lora(model: nn.Module) -> nn.Module:
    finished: dict[nn.Module, nn.Linear] = {}

    def to_linear(layer: LoRALinear) -> nn.Linear:
        if layer not in finished:
            base = layer.base
            w = base.weight.detach()
            if layer.state is Fold.OUT:
                w = (w + layer.delta_weight().detach()).to(w.dtype)
            linear = nn.utils.skip_init(
                nn.Linear, base.in_features, base.out_features, bias=base.bias is not None,
                dtype=w.dtype, device=w.device,
            )
            linear.weight = nn.Parameter(w, requires_grad=False)
            if base.bias is not None:
                linear.bias = nn.Parameter(base.bias.detach(), requires_grad=False)
            finished[layer] = linear
        return finished[layer]

    if isinstance(model, LoRALinear):
        return to_linear(model)
    for site in Plan.of(model).sites:
        if site.wrapped:
            site.module = to_linear(site.module)
    return model
