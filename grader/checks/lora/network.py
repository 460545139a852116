"""Networks of drawn names and depths, in which LoRA is put and from which it is taken.

The traps are there on every seed: target layers at the root and deep down, in lists, dicts, sequences and containers; names
that contain a target's name; a container, and a convolution or a norm, that bear one; a subclass of nn.Linear; layers without
bias; a layer called `base` that no LoRALinear holds, and a norm with "lora" in its name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import rand, shuffled, some, whole
from grader.checks.lora.material import fill, linear, sizes

WIDTH, VOCABULARY = 6, 9
LAYERS = (
    "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj query key value dense fc2 fc3 "
    "c_attn c_fc wq wk wv wo w2 w3 to_q to_k to_v lin2 lin3 in_proj linear_in lm_head score"
).split()
PLACES = "layers blocks h stages stack block units cells tower encoder decoder model backbone trunk mixer inner core mlp".split()


class Subclass(nn.Linear):
    """A linear layer of a kind of its own, as libraries have them."""


class Chain(nn.Module):
    """Adds to x what each of its parts gives."""

    def __init__(self, parts: dict[str, nn.Module]):
        super().__init__()
        self.names = list(parts)
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        for name in self.names:
            x = x + getattr(self, name)(x)
        return x


class Shelf(nn.Module):
    """Adds to x what each of its parts gives. They lie in an nn.ModuleList or an nn.ModuleDict of a drawn name."""

    def __init__(self, name: str, parts: nn.ModuleList | nn.ModuleDict):
        super().__init__()
        self.name = name
        self.add_module(name, parts)

    def forward(self, x):
        parts = getattr(self, self.name)
        for part in parts.values() if isinstance(parts, nn.ModuleDict) else parts:
            x = x + part(x)
        return x


class Narrow(nn.Module):
    """Two layers of drawn names, down to a smaller width and up again."""

    def __init__(self, down: tuple[str, nn.Module], up: tuple[str, nn.Module]):
        super().__init__()
        self.names = down[0], up[0]
        self.add_module(*down)
        self.add_module(*up)

    def forward(self, x):
        down, up = (getattr(self, name) for name in self.names)
        return up(down(x).tanh())


class Turned(nn.Module):
    """A convolution over the tokens, of a drawn name."""

    def __init__(self, name: str, convolution: nn.Conv1d):
        super().__init__()
        self.name = name
        self.add_module(name, convolution)

    def forward(self, x):
        return getattr(self, self.name)(x.mT).mT


def layer(rng, n_in: int = WIDTH, n_out: int = WIDTH, bias=True, kind=nn.Linear) -> nn.Linear:
    return linear(rng, n_in, n_out, bias, kind=kind)


def shelf(rng, parts: list[nn.Module]) -> Shelf:
    """The parts in a list, or in a dict under drawn names."""
    name, *keys = some(rng, 1 + len(parts), PLACES)
    return Shelf(name, nn.ModuleList(parts) if whole(rng, 0, 1) else nn.ModuleDict(zip(keys, parts)))


def buried(rng, module: nn.Module, levels: int) -> nn.Module:
    """The module inside so many containers of drawn kinds."""
    for _ in range(levels):
        kinds = [
            lambda inner: Chain({some(rng, 1, PLACES)[0]: inner}),
            lambda inner: nn.Sequential(nn.Tanh(), inner),
            lambda inner: shelf(rng, [inner]),
        ]
        module = some(rng, 1, kinds)[0](module)
    return module


def mixed(rng, parts: list[nn.Module]) -> Chain:
    """The parts under drawn names, in a drawn order."""
    return Chain(dict(zip(some(rng, len(parts), PLACES), shuffled(rng, parts))))


def traps(rng, one: str, two: str) -> list[nn.Module]:
    """Modules in which nothing is a layer called `one` or `two`, but much is called nearly so."""
    prefix, suffix = some(rng, 1, ["my_", "cross_", "x"])[0], some(rng, 1, ["_gate", "_b", "2"])[0]
    by_name = {
        prefix + one: layer(rng),
        one + suffix: nn.Sequential(layer(rng), nn.Tanh()),
        one.capitalize(): layer(rng),
        one: nn.Sequential(nn.Dropout(0.1), layer(rng)),  # a container of that name
    }
    norm, convolution = nn.LayerNorm(WIDTH, bias=False), nn.Conv1d(WIDTH, WIDTH, 1)
    not_linear = some(rng, 1, [Chain({two: norm}), Turned(two, convolution)])[0].double()
    for parameter in not_linear.parameters():
        parameter.data = rand(rng, *parameter.shape)
    return [Chain(dict(shuffled(rng, list(by_name.items())))), not_linear]


@dataclass(frozen=True)
class Plan:
    """What a check knows of a network. It is no part of the network, where the code that is checked would find it.

    Attributes:
        targets: two names of layers.
        trapped: one of them, which other layers' names contain.
        where: the qualified names of the layers that these two mean, in model order.
        others: the last name parts of its other linear layers, without the numbered ones.
    """

    targets: list[str]
    trapped: str
    where: list[str]
    others: list[str]


def network(rng) -> tuple["Network", Plan]:
    """A network of drawn names and depths, and its plan."""
    one, two, *free = some(rng, 8, LAYERS)
    model = Network(rng, one, two, free)
    linears = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    where = [name for name in linears if last_part(name) in (one, two)]
    others = sorted({last_part(name) for name in linears if not last_part(name).isdigit()} - {one, two})
    return model, Plan(shuffled(rng, [one, two]), one, where, others)


def same_network(rng) -> tuple[Callable[[], "Network"], Plan]:
    """A function that gives the same new network at each call, and its plan. To copy one takes five times as long."""
    state = rng.get_state()
    _, plan = network(rng)

    def make() -> Network:
        generator = torch.Generator()
        generator.set_state(state)
        return network(generator)[0]

    return make, plan


class Network(nn.Module):
    """A small network, called with token ids (B, T) and a mask that it does not need.

    Args:
        one, two: names of its target layers; `free` are names of others.
    """

    def __init__(self, rng, one: str, two: str, free: list[str]):
        super().__init__()
        narrow = WIDTH - 1  # no smaller than a rank
        plain = {one: layer(rng), free[0]: layer(rng), two: layer(rng, kind=Subclass)}
        pair = Narrow((two, layer(rng, WIDTH, narrow, bias=False)), (free[1], layer(rng, narrow, WIDTH)))
        deep = Narrow((free[2], layer(rng, WIDTH, narrow)), (one, layer(rng, narrow, WIDTH, bias=False)))
        parts = [Chain(dict(shuffled(rng, list(plain.items())))), pair, buried(rng, deep, whole(rng, 2, 4))]
        block = mixed(rng, parts + traps(rng, one, two))
        gate = nn.LayerNorm(WIDTH, bias=False, dtype=torch.float64)  # its name tells nothing of what it is
        small = Chain(
            {"base": layer(rng), some(rng, 1, ["lora_gate", "lora_norm", "my_lora_scale"])[0]: gate, two: layer(rng)}
        )

        self.names = [f"embed_{free[3]}", one, some(rng, 1, PLACES)[0], free[4]]
        embed, first, body, head = self.names
        self.add_module(embed, nn.Embedding(VOCABULARY, WIDTH, dtype=torch.float64))
        self.add_module(first, layer(rng))
        self.add_module(body, shelf(rng, shuffled(rng, [block, small])))
        self.add_module(head, layer(rng, WIDTH, VOCABULARY))
        self.register_buffer("steps", torch.arange(3.0))
        getattr(self, embed).weight.data = rand(rng, VOCABULARY, WIDTH)
        if whole(rng, 0, 1):
            getattr(self, head).weight = getattr(self, embed).weight  # tied, as in many language models
        with torch.no_grad():  # so that the output does not grow with the depth
            for module in self.modules():
                if isinstance(module, (nn.Linear, nn.Conv1d)):
                    module.weight /= WIDTH**0.5

    def forward(self, input_ids, attention_mask=None):
        embed, first, body, head = (getattr(self, name) for name in self.names)
        x = embed(input_ids)
        return head(F.layer_norm(body(x + first(x).tanh()), (WIDTH,)).tanh())  # else the last tanh would hide what comes before


def last_part(name: str) -> str:
    return name.rpartition(".")[2]


def token_ids(rng) -> torch.Tensor:
    return torch.randint(VOCABULARY, (2, 5), generator=rng)


def output(model, ids: torch.Tensor) -> torch.Tensor:
    """The output of the model in eval mode. In float16: rounding has grown on the way through many layers, if a layer computes in
    float32, and a mistake is larger by far."""
    return model.eval()(ids).half()


def injected(code, rng, **options):
    """A network with LoRA on its targets, the factors filled; its plan; and the sizes of the adapter."""
    model, plan = network(rng)
    size = sizes(rng)
    code.inject_lora(model, plan.targets, *size.pair, **options)
    fill_all(code, model, rng)
    return model.eval(), plan, size


def lora_layers(code, model) -> dict[str, nn.Module]:
    """The layers of the model that are a LoRALinear, by qualified name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, code.LoRALinear)}


def fill_all(code, model, rng) -> None:
    """Random numbers into the factors of every LoRALinear, small enough that the output does not grow with the depth."""
    for lora in lora_layers(code, model).values():
        fill(lora, rng, len(lora.lora_A), 0.3)


def factors_of(model) -> dict[str, torch.Tensor]:
    """Copies of the factors by qualified name, made without the learner's functions."""
    named = model.named_parameters()
    return {name: factor.detach().clone() for name, factor in named if last_part(name) in ("lora_A", "lora_B")}
