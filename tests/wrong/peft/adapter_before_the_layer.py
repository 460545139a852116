# WRONG peft: the adapter is put before the layer instead of behind it
from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, Generic, NamedTuple, Protocol, TypedDict, TypeVar, cast, runtime_checkable

import torch
from torch import Tensor, nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@runtime_checkable
class HasEmbeddings(Protocol):
    def get_input_embeddings(self) -> nn.Module: ...


@runtime_checkable
class HasWidth(Protocol):
    out_features: int


class ParameterCount(NamedTuple):
    trainable: int
    total: int


class TrainingMemory(TypedDict):
    weights: float
    gradients: float
    optimizer: float
    total: float


BIAS: Final = "bias"


def _names(argument: str, value: Collection[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"Bad type for argument {argument!r}: the str {value!r}. Allowed: a list of str.")
    return tuple(value)


def _natural(argument: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"Bad value for argument {argument!r}: {value}. Allowed: 1 and above.")
    return value


def freeze(model: ModuleT) -> ModuleT:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def count_parameters(model: nn.Module) -> ParameterCount:
    sizes: list[tuple[bool, int]] = [(p.requires_grad, p.numel()) for p in model.parameters()]
    return ParameterCount(
        trainable=sum(size for trains, size in sizes if trains),
        total=sum(size for _, size in sizes),
    )


def apply_bitfit(model: nn.Module, also: Collection[str] = ()) -> list[str]:
    parts: tuple[str, ...] = _names("also", also)
    aliases: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        aliases.setdefault(parameter, []).append(name)

    def is_bias(parameter: nn.Parameter) -> bool:
        return any(name.split(".")[-1] == BIAS for name in aliases[parameter])

    def is_extra(parameter: nn.Parameter) -> bool:
        return any(part in name for part in parts for name in aliases[parameter])

    if not any(is_bias(parameter) for parameter in aliases):
        raise ValueError(f"Bad value for argument 'model': {type(model).__name__}. Allowed: a model with a bias.")
    freeze(model)
    trainable: list[str] = []
    for parameter, names in aliases.items():
        if is_bias(parameter) or is_extra(parameter):
            parameter.requires_grad_(True)
            trainable.append(names[0])
    return trainable


class Adapter(nn.Module):
    down: nn.Linear
    up: nn.Linear

    def __init__(self, hidden_size: int, bottleneck: int) -> None:
        super().__init__()
        _natural("bottleneck", bottleneck)
        self.down = nn.Linear(in_features=hidden_size, out_features=bottleneck, bias=True)
        self.up = nn.Linear(in_features=bottleneck, out_features=hidden_size, bias=True)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = nn.functional.gelu(self.down(x))
        return x + self.up(hidden)


class Adapted(nn.Module, Generic[ModuleT]):
    inner: ModuleT
    adapter: Adapter

    def __init__(self, inner: ModuleT, bottleneck: int) -> None:
        super().__init__()
        self.inner = inner
        width: int = cast(HasWidth, inner).out_features
        self.adapter = Adapter(width, bottleneck)
        sample: Tensor | None = next(iter(inner.parameters()), None)
        if sample is not None:
            self.adapter.to(device=sample.device, dtype=sample.dtype)
        self.train(inner.training)

    def forward(self, *args: Tensor, **kwargs: object) -> Tensor:
        return self.inner(self.adapter(args[0]), *args[1:], **kwargs)


class Site(NamedTuple):
    parent: nn.Module
    attribute: str
    name: str

    @property
    def occupant(self) -> nn.Module:
        return cast(nn.Module, self.parent._modules[self.attribute])


def _sites(parent: nn.Module, prefix: str = "") -> Iterator[Site]:
    for attribute, child in parent._modules.items():
        if child is None or isinstance(child, Adapter):
            continue
        site = Site(parent, attribute, prefix + attribute)
        yield site
        yield from _sites(child.inner if isinstance(child, Adapted) else child, site.name + ".")


def add_adapters(model: nn.Module, target_modules: Collection[str], bottleneck: int) -> list[str]:
    targets: tuple[str, ...] = _names("target_modules", target_modules)
    _natural("bottleneck", bottleneck)
    sites: list[Site] = list(_sites(model))
    matching: list[Site] = [site for site in sites if site.attribute in targets]
    if not matching:
        raise ValueError(
            f"Bad value for argument 'target_modules': {list(targets)}. Allowed: last parts of {[s.name for s in sites]}."
        )
    for site in matching:
        if not isinstance(site.occupant, (HasWidth, Adapted)):
            raise ValueError(f"Bad value for argument 'target_modules': {site.name} has no out_features. "
                             f"Allowed: modules that have it.")
    freeze(model)
    adapted: dict[nn.Module, Adapted] = {}
    names: list[str] = []
    for site in matching:
        module = site.occupant
        if isinstance(module, Adapted):
            continue
        if module not in adapted:
            adapted[module] = Adapted(module, bottleneck)
        setattr(site.parent, site.attribute, adapted[module])
        names.append(site.name)
    for adapter in model.modules():
        if isinstance(adapter, Adapter):
            for parameter in adapter.parameters():
                parameter.requires_grad_(True)
    return names


class PromptTuning(nn.Module):
    def __init__(self, model: nn.Module, num_virtual_tokens: int) -> None:
        super().__init__()
        self.num_virtual_tokens: Final[int] = _natural("num_virtual_tokens", num_virtual_tokens)
        if not isinstance(model, HasEmbeddings):
            raise TypeError(f"Bad type for argument 'model': {type(model).__name__}. Allowed: has get_input_embeddings().")
        self.model = freeze(model)
        self.prompt = nn.Parameter(self._start(model.get_input_embeddings()))

    @torch.no_grad()
    def _start(self, embeddings: nn.Module) -> Tensor:
        weight: Tensor = embeddings.weight  # type: ignore[assignment]
        vocabulary: int = weight.shape[0]
        stride: int = max(1, vocabulary // self.num_virtual_tokens)
        ids: Tensor = (torch.arange(self.num_virtual_tokens, device=weight.device) * stride) % vocabulary
        return embeddings(ids).detach().clone()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        embeddings = cast(HasEmbeddings, self.model).get_input_embeddings()
        words: Tensor = embeddings(input_ids)
        prompt: Tensor = self.prompt.to(words.dtype).unsqueeze(0).expand(words.size(0), -1, -1)
        ones: Tensor = attention_mask.new_ones((words.size(0), self.num_virtual_tokens))
        logits: Tensor = self.model(
            inputs_embeds=torch.cat((prompt, words), dim=1),
            attention_mask=torch.cat((ones, attention_mask), dim=1),
        )
        return logits[:, self.num_virtual_tokens :, :]


class IA3Linear(nn.Module):
    base: nn.Linear
    ia3: nn.Parameter

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"Bad type for argument 'base': {type(base).__name__}. Allowed: nn.Linear.")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features, dtype=base.weight.dtype, device=base.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) * self.ia3

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        linear = nn.Linear(
            self.base.in_features, self.base.out_features, bias=self.base.bias is not None,
            device=self.base.weight.device, dtype=self.base.weight.dtype,
        )
        linear.weight.copy_(self.base.weight * self.ia3[:, None])
        if self.base.bias is not None:
            linear.bias.copy_(self.base.bias * self.ia3)
        return linear


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def adapter_state_dict(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in _trainable(model).items()}


def load_adapter(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    own = _trainable(model)
    errors: list[str] = [f"{name} is missing" for name in own.keys() - state.keys()]
    errors.extend(f"{name} is unexpected" for name in state.keys() - own.keys())
    errors.extend(
        f"{name} is {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    )
    if errors:
        raise ValueError(f"Bad value for argument 'state': {'; '.join(sorted(errors))}. Allowed: exactly {sorted(own)}.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(state[name])


def training_memory(
    total: int,
    trainable: int,
    *,
    weight_bytes: float = 2,
    grad_bytes: float = 2,
    optimizer_bytes: float = 12,
) -> TrainingMemory:
    if trainable > total:
        raise ValueError(f"Bad value for argument 'trainable': {trainable}. Allowed: up to total = {total}.")
    weights, gradients, optimizer = total * weight_bytes, trainable * grad_bytes, trainable * optimizer_bytes
    return TrainingMemory(weights=weights, gradients=gradients, optimizer=optimizer, total=weights + gradients + optimizer)
