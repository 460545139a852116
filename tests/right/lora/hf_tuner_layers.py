# RIGHT lora: HF-PEFT-like hierarchy (BaseTunerLayer mixin, a LoraModel tuner that finds, creates and replaces modules, _get_submodules)
from __future__ import annotations

import math
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import torch
import torch.nn as nn


@dataclass
class LoraConfig:
    r: int = field(default=8)
    lora_alpha: float = field(default=8)
    lora_dropout: float = field(default=0.0)
    target_modules: Optional[list[str]] = field(default=None)


class BaseTunerLayer:
    """A mixin that carries what every tuner layer needs."""

    adapter_layer_names: tuple[str, ...] = ()

    def get_base_layer(self) -> nn.Module:
        base_layer = self
        while hasattr(base_layer, "base"):
            base_layer = base_layer.base
        return base_layer

    @property
    def merged(self) -> bool:
        return bool(self._merged_adapters)

    def adapter_parameters(self):
        for name in self.adapter_layer_names:
            yield name, getattr(self, name)


class LoRALinear(nn.Module, BaseTunerLayer):
    adapter_layer_names = ("lora_A", "lora_B")

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(
                f"Target module `base` is not supported: got {type(base).__name__}. "
                "Currently, only the following modules are supported: `torch.nn.Linear`."
            )
        if rank < 1:
            raise ValueError(f"`rank` should be a positive integer value but the value passed is {rank}")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"`dropout` should lie in [0, 1) but the value passed is {dropout}")
        self.base = base
        self.in_features, self.out_features = base.in_features, base.out_features
        self._merged_adapters: list[str] = []
        self.update_layer(rank, alpha, dropout)

    def update_layer(self, r, lora_alpha, lora_dropout):
        self.r = r
        self.lora_alpha = lora_alpha
        if lora_dropout > 0.0:
            self.lora_dropout = nn.Dropout(p=lora_dropout)
        else:
            self.lora_dropout = nn.Identity()
        weight = self.get_base_layer().weight
        self.lora_A = nn.Parameter(weight.new_empty((r, self.in_features)))
        self.lora_B = nn.Parameter(weight.new_empty((self.out_features, r)))
        self.scaling = lora_alpha / r
        self.reset_lora_parameters()
        self.base.requires_grad_(False)

    def reset_lora_parameters(self):
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def delta_weight(self) -> torch.Tensor:
        """Compute the delta weight for the (only) adapter."""
        return (self.lora_B @ self.lora_A) * self.scaling

    @torch.no_grad()
    def merge(self) -> None:
        if self.merged:
            warnings.warn("Already merged. Nothing to do.")
            return
        weight = self.get_base_layer().weight
        weight.data += self.delta_weight().to(weight.dtype)
        self._merged_adapters.append("default")

    @torch.no_grad()
    def unmerge(self) -> None:
        if not self.merged:
            warnings.warn("Already unmerged. Nothing to do.")
            return
        while self._merged_adapters:
            self._merged_adapters.pop()
            weight = self.get_base_layer().weight
            weight.data -= self.delta_weight().to(weight.dtype)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.merged:
            return self.base(x, *args, **kwargs)
        result = self.base(x, *args, **kwargs)
        lora_out = nn.functional.linear(self.lora_dropout(x), self.lora_A)
        lora_out = nn.functional.linear(lora_out, self.lora_B)
        return result + lora_out * self.scaling

    def __repr__(self) -> str:
        return "lora." + super().__repr__()


def _get_submodules(model, key):
    parent = model.get_submodule(".".join(key.split(".")[:-1]))
    target_name = key.split(".")[-1]
    target = model.get_submodule(key)
    return parent, target, target_name


class LoraModel:
    """Not a module: works on the model that it is given."""

    prefix = re.compile(r"^(?:.*\.)?lora_[AB]$")

    def __init__(self, model: nn.Module, config: LoraConfig | None = None):
        self.model = model
        self.config = config

    def _keys(self):
        for key, _ in self.model.named_modules(remove_duplicate=False):
            if key:
                yield key

    def _is_inside_adapter(self, key):
        head = key
        while "." in head:
            head = head.rpartition(".")[0]
            if isinstance(self.model.get_submodule(head), LoRALinear):
                return True
        return isinstance(self.model, LoRALinear)

    def inject_adapter(self) -> list[str]:
        cfg = self.config
        keys = [k for k in self._keys() if not self._is_inside_adapter(k)]
        candidates, is_target_modules_in_base_model = [], False
        created: dict[int, LoRALinear] = {}
        wrapped_bases = {id(m.base): m for m in self.model.modules() if isinstance(m, LoRALinear)}
        for key in keys:
            _, target, target_name = _get_submodules(self.model, key)
            if target_name not in cfg.target_modules or not isinstance(target, (nn.Linear, LoRALinear)):
                continue
            is_target_modules_in_base_model = True
            if isinstance(target, nn.Linear):
                candidates.append(key)
        if not is_target_modules_in_base_model:
            existing = [k for k in keys if isinstance(self.model.get_submodule(k), (nn.Linear, LoRALinear))]
            raise ValueError(
                f"Target modules {sorted(cfg.target_modules)} (`target_modules`) not found in the base model. "
                f"Please check the target modules and try again. The model has these linear layers: {existing}."
            )
        replaced = []
        for key in candidates:
            parent, target, target_name = _get_submodules(self.model, key)
            if isinstance(target, LoRALinear):
                continue
            new_module = created.get(id(target)) or wrapped_bases.get(id(target))
            if new_module is None:
                new_module = self._create_new_module(target)
                created[id(target)] = new_module
            self._replace_module(parent, target_name, new_module, target)
            replaced.append(key)
        self._mark_only_adapters_as_trainable()
        return replaced

    def _create_new_module(self, target):
        return LoRALinear(target, self.config.r, self.config.lora_alpha, self.config.lora_dropout)

    def _replace_module(self, parent, child_name, new_module, child):
        setattr(parent, child_name, new_module)
        new_module.train(child.training)

    def _mark_only_adapters_as_trainable(self) -> None:
        for p in self.model.parameters():
            p.requires_grad_(False)
        for module in self.model.modules():
            if isinstance(module, LoRALinear):
                for _, p in module.adapter_parameters():
                    p.requires_grad_(True)

    def merge_and_unload(self) -> nn.Module:
        if isinstance(self.model, LoRALinear):
            return self._plain(self.model)
        done: dict[int, nn.Linear] = {}
        for key in list(self._keys()):
            with suppress(AttributeError):
                parent, target, target_name = _get_submodules(self.model, key)
                if isinstance(target, LoRALinear):
                    if id(target) not in done:
                        done[id(target)] = self._plain(target)
                    setattr(parent, target_name, done[id(target)])
        return self.model

    @staticmethod
    @torch.no_grad()
    def _plain(layer: LoRALinear) -> nn.Linear:
        base = layer.get_base_layer()
        new = nn.Linear(
            base.in_features, base.out_features, bias=base.bias is not None,
            device=base.weight.device, dtype=base.weight.dtype,
        )
        weight = base.weight.detach().clone()
        if not layer.merged:
            weight += layer.delta_weight().to(weight.dtype)
        new.weight = nn.Parameter(weight, requires_grad=False)
        if base.bias is not None:
            new.bias = base.bias
        new.train(layer.training)
        return new


def inject_lora(model: nn.Module, target_modules: Union[list[str], tuple[str, ...]], rank: int, alpha: float,
                dropout: float = 0.0) -> list[str]:
    if isinstance(target_modules, str):
        raise TypeError(
            f"`target_modules` must be a list of module names, got the string {target_modules!r}; "
            f"pass [{target_modules!r}] instead"
        )
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(target_modules))
    return LoraModel(model, config).inject_adapter()


def lora_state_dict(model: nn.Module) -> dict[str, torch.Tensor]:
    state_dict = model.state_dict()
    owners = {name for name, m in model.named_modules() if isinstance(m, LoRALinear)}
    return {
        k: v for k, v in state_dict.items()
        if LoraModel.prefix.match(k) and k.rpartition(".")[0] in owners
    }


def load_lora_state_dict(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    own = lora_state_dict(model)
    problems = []
    missing = [k for k in own if k not in state]
    unexpected = [k for k in state if k not in own]
    if missing:
        problems.append("Missing key(s) in `state`: " + ", ".join(missing))
    if unexpected:
        problems.append("Unexpected key(s) in `state`: " + ", ".join(unexpected))
    for k, v in state.items():
        if k in own and own[k].shape != v.shape:
            problems.append(
                f"size mismatch for {k}: `state` has {tuple(v.shape)}, the current model allows {tuple(own[k].shape)}"
            )
    if problems:
        raise ValueError("Error(s) in loading the LoRA state:\n\t" + "\n\t".join(problems))
    with torch.no_grad():
        for k, v in state.items():
            own[k].copy_(v)


def merge_lora(model: nn.Module) -> nn.Module:
    return LoraModel(model).merge_and_unload()
