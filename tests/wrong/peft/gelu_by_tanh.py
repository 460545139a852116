# WRONG peft: gelu is computed by its tanh approximation
from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, astuple, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BANK = "adapter_bank"


@dataclass
class ParameterCount:
    trainable: int = 0
    total: int = 0

    def add(self, p: nn.Parameter) -> None:
        self.total += p.numel()
        self.trainable += p.numel() if p.requires_grad else 0

    def __iter__(self):
        return iter(astuple(self))


@dataclass(frozen=True)
class Memory:
    weights: float
    gradients: float
    optimizer: float

    def as_dict(self) -> dict:
        parts = asdict(self)
        return {**parts, "total": sum(parts.values())}


def freeze(model: nn.Module) -> nn.Module:
    for _, p in model.named_parameters():
        p.requires_grad = False
    return model


def count_parameters(model: nn.Module) -> ParameterCount:
    count = ParameterCount()
    unique = {id(p): p for p in model.parameters()}
    for p in unique.values():
        count.add(p)
    return count


def apply_bitfit(model: nn.Module, also: Collection[str] = ()) -> list[str]:
    if isinstance(also, (str, bytes)):
        raise TypeError(f"also: a list of str is allowed, {also!r} was given")
    names = [name for name, _ in model.named_parameters()]
    biases = [name for name in names if name.split(".")[-1] == "bias"]
    if not biases:
        raise ValueError(f"model: needs at least one parameter named bias, {names} were given")
    keep = set(biases) | {name for name in names for part in also if part in name}
    for name, p in model.named_parameters():
        p.requires_grad = name in keep
    return [name for name in names if name in keep]


class Adapter(nn.Module):
    def __init__(self, hidden_size: int, bottleneck: int) -> None:
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"bottleneck: at least 1 is allowed, {bottleneck} was given")
        self.down = nn.Linear(hidden_size, bottleneck, bias=True)
        self.up = nn.Linear(bottleneck, hidden_size, bias=True)
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.constant_(self.down.bias, 0.0)
        nn.init.constant_(self.up.weight, 0.0)
        nn.init.constant_(self.up.bias, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, F.linear(F.gelu(self.down(x), approximate="tanh"), self.up.weight, self.up.bias))


@dataclass(eq=False)
class AdapterHook:
    """A forward hook. It is an object, not a closure, so that a deep copy of the model gets a hook of its own."""

    adapter: Adapter

    def __call__(self, module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return self.adapter(output)


def _hook_of(module: nn.Module) -> AdapterHook | None:
    return next((h for h in module._forward_hooks.values() if isinstance(h, AdapterHook)), None)


def _modules(model: nn.Module) -> dict[str, nn.Module]:
    skip = {inner for m in model.modules() if isinstance(m, Adapter) for inner in m.modules()}
    skip.update(m for m in model.modules() if isinstance(m, Bank))
    return {
        name: m for name, m in model.named_modules(remove_duplicate=False)
        if name and m not in skip
    }


def add_adapters(model: nn.Module, target_modules: Collection[str], bottleneck: int) -> list[str]:
    if isinstance(target_modules, (str, bytes)):
        raise TypeError(f"target_modules: a list of str is allowed, {target_modules!r} was given")
    if bottleneck < 1:
        raise ValueError(f"bottleneck: at least 1 is allowed, {bottleneck} was given")
    modules = _modules(model)
    matching = {name: m for name, m in modules.items() if name.split(".")[-1] in target_modules}
    if not matching:
        raise ValueError(
            f"target_modules: last name parts of {list(modules)} are allowed, {list(target_modules)} was given"
        )
    freeze(model)
    added: list[str] = []
    for name, module in matching.items():
        if _hook_of(module) is not None:
            continue
        adapter = Adapter(module.out_features, bottleneck)
        parameter = next(module.parameters(), None)
        if parameter is not None:
            adapter = adapter.to(device=parameter.device, dtype=parameter.dtype)
        # one more child would be run (or counted) by a container, so there the layer keeps its adapter itself
        host = module if isinstance(model, (nn.Sequential, nn.ModuleList)) else model
        if BANK not in host._modules:
            host.add_module(BANK, Bank())
        host._modules[BANK].store(name, adapter.train(module.training))
        module.register_forward_hook(AdapterHook(adapter))
        added.append(name)
    for m in model.modules():
        if isinstance(m, Adapter):
            for p in m.parameters():
                p.requires_grad = True
    return added


class Bank(nn.Module):
    """Holds the adapters; is never called."""

    def store(self, name: str, adapter: Adapter) -> None:
        self.add_module(name.replace(".", "/"), adapter)


class PromptTuning(nn.Module):
    def __init__(self, model: nn.Module, num_virtual_tokens: int) -> None:
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens: at least 1 is allowed, {num_virtual_tokens} was given")
        self.num_virtual_tokens = num_virtual_tokens
        self.wrapped = freeze(model)
        embeddings = model.get_input_embeddings()
        ids = torch.randint(embeddings.weight.shape[0], (num_virtual_tokens,), device=embeddings.weight.device)
        self.prompt = nn.Embedding(num_virtual_tokens, embeddings.weight.shape[1],
                                   device=embeddings.weight.device, dtype=embeddings.weight.dtype)
        with torch.no_grad():
            self.prompt.weight.copy_(embeddings(ids))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        batch, length = input_ids.shape
        embeddings = self.wrapped.get_input_embeddings()(input_ids)
        positions = torch.arange(self.num_virtual_tokens, device=input_ids.device).expand(batch, -1)
        inputs_embeds = torch.cat((self.prompt(positions), embeddings), dim=1)
        ones = torch.ones(positions.shape, dtype=attention_mask.dtype, device=attention_mask.device)
        logits = self.wrapped(attention_mask=torch.cat((ones, attention_mask), dim=1), inputs_embeds=inputs_embeds)
        virtual, real = logits.split((self.num_virtual_tokens, length), dim=1)
        return real


class IA3Linear(nn.Module):
    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base: an nn.Linear is allowed, {type(base).__name__} was given")
        self.inner = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features, device=base.weight.device, dtype=base.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * self.ia3

    def merge(self) -> nn.Linear:
        inner = self.inner
        linear = nn.Linear(inner.in_features, inner.out_features, inner.bias is not None,
                           device=inner.weight.device, dtype=inner.weight.dtype)
        state = {"weight": inner.weight.T.mul(self.ia3).T}
        if inner.bias is not None:
            state["bias"] = inner.bias * self.ia3
        linear.load_state_dict(state)
        return linear


def adapter_state_dict(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@dataclass
class Mismatch:
    name: str
    given: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.name} ({self.given} given, {self.allowed} allowed)"


def load_adapter(model: nn.Module, state: dict[str, Tensor]) -> None:
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def describe(tensors, name):
        return f"shape {tuple(tensors[name].shape)}" if name in tensors else "nothing"

    bad = [
        Mismatch(name, describe(state, name), describe(own, name))
        for name in dict.fromkeys([*own, *state])
        if describe(state, name) != describe(own, name)
    ]
    if bad:
        raise ValueError("state: " + "; ".join(map(str, bad)))
    for name, p in own.items():
        p.detach().copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12) -> dict:
    if trainable > total:
        raise ValueError(f"trainable: at most {total} (= total) is allowed, {trainable} was given")
    return Memory(total * weight_bytes, trainable * grad_bytes, trainable * optimizer_bytes).as_dict()
