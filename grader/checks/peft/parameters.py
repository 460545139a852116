"""Drawn models for the stubs that see a model as its parameters: their names, their numbers, and which of them train.

The whole models are `material.decoder`. Those here are small and hold traps of names: what looks like a bias and is none, and names
that match a string in another sense than that they contain it.
"""

from collections.abc import Iterable

import torch
from torch import nn

from grader.checks import rand, shuffled, some, whole
from grader.checks.peft.material import Decoder, a_linear, a_name, decoder, fill, trainable

GATES = ("bias_gate", "debias", "bias_proj", "relative_bias", "bias_{}")  # layers without bias
ENDS = (
    "unbias",
    "in_proj_bias",
    "position_bias",
    "q_bias",
    "{}_bias",
)  # tensors that are no biases, to the last letter
STARTS = ("bias_ih", "bias_table", "bias_k", "biased", "bias_{}_scale")
HOLDERS = ("rotary", "mixer", "table_{}", "offsets")
SHIFTS = ("shift", "moves", "attention_{}")
NORMS = ("norm", "input_norm", "layer_norm", "norm_{}")
CLASSIFIERS = ("classifier", "score", "lm_head", "answer_head", "label_{}")
LISTS = ("layers", "blocks", "stages", "group_{}")
TRUNKS = ("model", "encoder", "net", "base_{}")
PROJECTIONS = ("q_proj", "out_proj", "up_proj", "proj_{}_proj")
GAINS = ("gamma", "gain", "temperature", "factor_{}")
ADAPTERS = ("adapter", "lora_A", "prompt_encoder", "adapter_{}")

# Keys of a ModuleDict that mean something else as a pattern, each with a name that only the pattern matches.
SIGNS = {"c++": "c", "qa?": "q", "nli*": "nl", "tag(s)": "tags", "x{2}": "xx"}
BRACKETS = ("[ner]", "[mask]", "[cls]", "[sep]")  # one of these letters, as a pattern


class Stack(nn.Module):
    """Modules and tensors of its own: each adds something to what passes."""

    def __init__(self, parts: dict[str, nn.Module], tensors: dict[str, torch.Tensor] | None = None):
        super().__init__()
        for name, tensor in (tensors or {}).items():
            self.register_parameter(name, nn.Parameter(tensor))
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        for tensor in self.parameters(recurse=False):
            x = x + tensor.tanh().mean()
        for part in self.children():
            x = x + _through(part, x).tanh()
        return x


def _through(part: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a module makes of x; the things in a container that cannot be called follow each other."""
    if not isinstance(part, (nn.ModuleList, nn.ModuleDict, nn.ParameterDict)):
        return part(x)
    for tensor in part.parameters(recurse=False):
        x = x + tensor.tanh().mean()
    for child in part.children():
        x = child(x)
    return x


def deep(rng: torch.Generator, part: nn.Module, name: str) -> nn.Module:
    """The part under this name, one to three levels down."""
    for level in range(whole(rng, 1, 3)):
        part = Stack({a_name(rng, TRUNKS) if level else name: part})
    return part


def like_biases(rng: torch.Generator, with_biases: bool = True) -> tuple[Stack, torch.Tensor]:
    """A model whose names look like biases, and an input for it.

    Args:
        with_biases: there are true ones among them, too: of layers, and one that is a matrix in a ParameterDict.
    """
    width = whole(rng, 4, 6)
    wide = (width, width)
    parts = {
        a_name(rng, GATES): a_linear(rng, *wide, bias=False),
        a_name(rng, HOLDERS): deep(
            rng,
            Stack({}, {a_name(rng, ENDS): rand(rng, width), a_name(rng, STARTS): rand(rng, 3)}),
            a_name(rng, HOLDERS),
        ),
        "bias": a_linear(rng, *wide, bias=with_biases),  # a module: its weight is no bias
        a_name(rng, NORMS): _norm(rng, width, with_biases),
        a_name(rng, CLASSIFIERS): deep(rng, a_linear(rng, *wide, bias=with_biases), a_name(rng, PROJECTIONS)),
    }
    if with_biases:
        matrix = nn.Parameter(rand(rng, 2, width))
        parts[a_name(rng, SHIFTS)] = deep(rng, nn.ParameterDict({"bias": matrix}), a_name(rng, HOLDERS))
    return Stack({name: parts[name] for name in shuffled(rng, list(parts))}), rand(rng, 3, width)


def _norm(rng, width: int, bias: bool) -> nn.LayerNorm:
    norm = nn.LayerNorm(width, bias=bias, dtype=torch.float64)
    fill(norm, rng)
    return norm


def with_heads(rng: torch.Generator) -> tuple[Stack, torch.Tensor, dict[str, list[str] | tuple[str, ...]]]:
    """A model with heads, an input for it, and strings that name some of its parameters, by what they are."""
    width = whole(rng, 4, 6)
    layers, trunk, gain, projection = (a_name(rng, pool) for pool in (LISTS, TRUNKS, GAINS, PROJECTIONS))
    head = a_name(rng, CLASSIFIERS)
    sign, bracket = some(rng, 1, list(SIGNS))[0], some(rng, 1, BRACKETS)[0]

    def block() -> Stack:
        return Stack({projection: a_linear(rng, width, width), a_name(rng, NORMS): _norm(rng, width, bias=True)})

    tasks = {name: a_linear(rng, width, width) for name in shuffled(rng, [sign, SIGNS[sign], bracket])}
    inner = Stack(
        {layers: nn.ModuleList(block() for _ in range(3)), "tasks": nn.ModuleDict(tasks)},
        {gain: rand(rng, width), f"{layers}_1": rand(rng, 3)},
    )
    outer = {trunk: inner, head: a_linear(rng, width, width), head.swapcase(): a_linear(rng, width, width)}
    model = Stack({name: outer[name] for name in shuffled(rng, list(outer))})
    strings = {
        "a head": [head],
        "the beginning of its name": (head[:4],),
        "a name with a dot": [f"{layers}.1"],
        "names with signs in them": [sign, bracket],
        "a whole name, and the middle of others": (f"{trunk}.{gain}", f"{projection[-4:]}.w"),
    }
    return model, rand(rng, 3, width), strings


def tuned(rng: torch.Generator) -> Decoder:
    """A drawn model of which a part trains, as any method may leave it.

    Always there: a vector and a matrix that train, a bias that trains while its layer's weight is frozen, deep and shallow names, a
    frozen module with the name of an adapter, buffers.
    """
    model = decoder(rng).requires_grad_(False)
    model.add_module(a_name(rng, ADAPTERS), a_linear(rng, 3, 2).requires_grad_(False))
    own = {name: parameter for name, parameter in model.named_parameters() if ".probe." not in name}
    names = model.names
    always = [
        next(name for name in own if f".{names.down}." in name),  # a matrix, not square
        next(name for name in own if name.endswith(f".{names.up}.bias")),
        f"{names.head}.bias",
    ]
    others = [name for name in own if f".{names.square}." in name or f".{names.norm}." in name]
    for name in always + some(rng, whole(rng, 2, 4), others):
        own[name].requires_grad_(True)
    return model


def in_mixed_precision(model: nn.Module) -> nn.Module:
    """The model with tensors of several dtypes, as after a part of it was put in 16 bits. Only its parameters are looked at."""
    for number, parameter in enumerate(trainable(model)):
        parameter.data = parameter.data.to((torch.float32, torch.bfloat16, torch.float64)[number % 3])
    return model


def train(model: nn.Module, *inputs, steps: int = 1, rate: float = 0.1) -> torch.Tensor:
    """The output after steps of gradient descent on all that is trainable. It tells what has moved, and how far."""
    for _ in range(steps):
        loss = model(*inputs).square().mean()
        if not loss.requires_grad:
            break
        chosen = trainable(model)
        gradients = torch.autograd.grad(loss, chosen, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(chosen, gradients):
                if gradient is not None:
                    parameter -= rate * gradient
    return model(*inputs)


def listed(names) -> list | str:
    """The names as a list; of anything else, its kind in words."""
    several = isinstance(names, Iterable) and not isinstance(names, str)
    return list(names) if several else f"no list, but {type(names).__name__}"
