"""The models of the PEFT checks, drawn as real models differ, and what the checks ask of them.

What a real model may look like is drawn: the names of its layers, how deep they lie and in which containers, how many
there are, and their sizes. The traps are there on every seed: names that contain each other, another embedding beside
that of the tokens, subclasses of nn.Linear and a linear layer that is none, unequal widths, a norm and a layer without
bias, dropout, a buffer. What a learner may name freely (the prompt, the place of an adapter) is found by what it is.
"""

from dataclasses import dataclass

import torch
from torch import nn

from grader.checks import rand, shuffled, some, whole

# --- names --------------------------------------------------------------------------------------

SQUARE = ("q_proj", "o_proj", "query", "dense", "out_proj", "wo", "mix_{}")
DOWN = ("down_proj", "fc1", "lin1", "w1", "shrink_{}")
GATE = ("gate_proj", "w3", "c_gate", "valve_{}")
UP = ("up_proj", "fc2", "lin2", "w2", "grow_{}")
PREFIXES = ("my_", "cross_", "old", "x")
SUFFIXES = ("_gate", "_norm", "2", "_new")
HEADS = ("lm_head", "head", "embed_out", "decoder_out", "score_{}")
EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings", "tok", "lookup_{}")
DECOYS = ("embed", "wpe", "embedding", "emb", "embeddings")
TRUNKS = ("model", "transformer", "backbone", "decoder", "core_{}", "base_model")
BLOCKS = ("layers", "h", "blocks", "stages_{}")
MIXERS = ("self_attn", "attn", "mixer", "attention", "token_mix_{}")
MLPS = ("mlp", "ffn", "feed_forward", "inner_{}")
NORMS = ("norm", "ln_1", "input_layernorm", "scale_{}")


def a_name(rng: torch.Generator, pool: tuple[str, ...]) -> str:
    """A name out of a pool; a place in it is filled with letters that nobody can guess."""
    letters = "".join(chr(ord("a") + whole(rng, 0, 25)) for _ in range(3))
    return some(rng, 1, pool)[0].format(letters)


@dataclass(frozen=True)
class Names:
    """The drawn names of a model's parts.

    Attributes:
        square, down, gate, up: last name parts of layers of each block, which may be targets.
        ending, beginning: last name parts that end or begin with `square`, so that they are other layers.
        head: the name of the last layer.
        trunk: the names of the containers around blocks and embedding, outermost first.
    """

    square: str
    ending: str
    beginning: str
    down: str
    gate: str
    up: str
    norm: str
    mixer: str
    mlp: str
    head: str
    embedding: str
    decoy: str
    blocks: str
    trunk: tuple[str, ...]


def draw_names(rng: torch.Generator) -> Names:
    """Names for all parts of a model."""
    square = a_name(rng, SQUARE)
    return Names(
        square=square,
        ending=a_name(rng, PREFIXES) + square,
        beginning=square + a_name(rng, SUFFIXES),
        **{
            part: a_name(rng, pool)
            for part, pool in {
                "down": DOWN,
                "gate": GATE,
                "up": UP,
                "norm": NORMS,
                "mixer": MIXERS,
                "mlp": MLPS,
                "head": HEADS,
                "embedding": EMBEDDINGS,
                "decoy": DECOYS,
                "blocks": BLOCKS,
            }.items()
        },
        trunk=tuple(some(rng, whole(rng, 1, 2), [a_name(rng, TRUNKS), "net"])),
    )


# --- models -------------------------------------------------------------------------------------


class FastLinear(nn.Linear):
    """A linear layer of another class, as quantised or fused layers are."""


class OwnLinear(nn.Module):
    """A linear layer that is no nn.Linear, with the same attributes."""

    def __init__(self, rng, n_in, n_out):
        super().__init__()
        self.in_features, self.out_features = n_in, n_out
        self.weight = nn.Parameter(rand(rng, n_out, n_in) / n_in**0.5)
        self.bias = nn.Parameter(rand(rng, n_out))

    def forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias)


def a_linear(rng, n_in, n_out, bias=True, kind=nn.Linear) -> nn.Linear:
    """A linear layer with drawn weights, whose outputs are as large as its inputs."""
    layer = kind(n_in, n_out, bias=bias, dtype=torch.float64)
    fill(layer, rng)
    return layer


@torch.no_grad()
def fill(module: nn.Module, rng) -> None:
    """Drawn numbers into every parameter: a matrix keeps the size of what it multiplies."""
    for parameter in module.parameters():
        size = parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else 1.0
        parameter.copy_(rand(rng, *parameter.shape) / size)


class DecoderBlock(nn.Module):
    """A residual block: square layers with names that contain each other, then a gated bottleneck.

    Layers are looked up by their names at each call, so that a wrapper may take their place.
    """

    def __init__(self, rng, names: Names, width: int, narrow: int, kind=nn.Linear):
        super().__init__()
        self.names = names
        square = a_linear(rng, width, width, kind=kind)
        if kind is nn.Linear:  # a layer that hangs on it, unused: the target's name is a part of its path
            square.probe = a_linear(rng, width, 2)
        layers = {
            names.square: square,
            names.ending: a_linear(rng, width, width),
            names.beginning: nn.Sequential(a_linear(rng, width, width), nn.Tanh()),
        }
        self.add_module(names.norm, nn.LayerNorm(width, dtype=torch.float64))
        self.add_module(names.mixer, nn.ModuleDict({name: layers[name] for name in shuffled(rng, list(layers))}))
        mlp = {
            names.down: a_linear(rng, width, narrow, bias=False),
            names.gate: OwnLinear(rng, width, narrow),
            names.up: a_linear(rng, narrow, width, kind=FastLinear),
        }
        self.add_module(names.mlp, nn.ModuleDict({name: mlp[name] for name in shuffled(rng, list(mlp))}))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        names = self.names
        norm, mixer, mlp = (getattr(self, name) for name in (names.norm, names.mixer, names.mlp))
        mixed = mixer[names.square](norm(x)) + mixer[names.ending](x).tanh() + mixer[names.beginning](x)
        x = x + self.dropout(mixed)
        return x + mlp[names.up](mlp[names.down](x).tanh() * mlp[names.gate](x).sigmoid())


class Decoder(nn.Module):
    """A small causal model with drawn names, depth and sizes, and logits (B, T, vocab).

    A token sees itself and the real tokens before it, the nearer ones more, so that their order counts. Padding, on
    whichever side, is not seen.

    Attributes:
        names: see Names.
        vocab, width: of the embedding, which get_input_embeddings() returns.
        narrow: the inner width of each block, another one for each.
    """

    def __init__(self, rng, depth: int | None = None, tied: bool | None = None):
        super().__init__()
        self.names = names = draw_names(rng)
        self.width, self.vocab = whole(rng, 7, 9), whole(rng, 11, 14)
        depth = depth or whole(rng, 2, 3)
        self.narrow = [3 + one for one in some(rng, depth, range(3))]
        kinds = shuffled(rng, [FastLinear] + [nn.Linear] * (depth - 1))
        blocks = [DecoderBlock(rng, names, self.width, narrow, kind) for narrow, kind in zip(self.narrow, kinds)]
        parts = {
            names.decoy: nn.Embedding(64, self.width, dtype=torch.float64),  # of positions
            names.embedding: nn.Embedding(self.vocab, self.width, dtype=torch.float64),
            names.blocks: _in_a_container(rng, blocks),
            "norm": nn.LayerNorm(self.width, bias=False, dtype=torch.float64),
        }
        self.register_buffer("decay", 0.5 + 0.4 * torch.rand((), generator=rng, dtype=torch.float64))
        inner = self
        for name in names.trunk:
            inner.add_module(name, nn.Module())
            inner = getattr(inner, name)
        for name, part in parts.items():
            inner.add_module(name, part)
        for embedding in (parts[names.decoy], parts[names.embedding]):
            embedding.weight.data = rand(rng, *embedding.weight.shape)
        self.add_module(names.head, a_linear(rng, self.width, self.vocab))
        if tied if tied is not None else whole(rng, 0, 1):
            getattr(self, names.head).weight = parts[names.embedding].weight

    @property
    def trunk(self) -> nn.Module:
        """The innermost container: it holds the embedding and the blocks."""
        return self.get_submodule(".".join(self.names.trunk))

    def get_input_embeddings(self):
        return getattr(self.trunk, self.names.embedding)

    def decoy(self) -> nn.Embedding:
        """The embedding of positions, which is not that of the tokens."""
        return getattr(self.trunk, self.names.decoy)

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        names, trunk = self.names, self.trunk
        x = self.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        mask = torch.ones(x.shape[:2]) if attention_mask is None else attention_mask
        place = mask.long().cumsum(dim=1)  # a real token's position, counted from 1
        x = x + self.decoy()(place)
        far = (place[:, :, None] - place[:, None, :]).clamp(min=0)
        seen = self.decay**far * mask[:, None, :] * torch.ones(far.shape[1:]).tril()
        x = x + seen.to(x.dtype) @ x
        for block in getattr(trunk, names.blocks).children():
            x = block(x)
        return getattr(self, names.head)(trunk.norm(x))


def _in_a_container(rng, blocks: list[nn.Module]) -> nn.Module:
    """Blocks in one of the containers that hold them in real models."""
    kind = whole(rng, 0, 2)
    if kind == 2:
        return nn.ModuleDict({f"block{number}": block for number, block in enumerate(blocks)})
    return nn.Sequential(*blocks) if kind else nn.ModuleList(blocks)


def decoder(rng, **options) -> Decoder:
    """A drawn causal model in eval mode."""
    return Decoder(rng, **options).eval()


def token_ids(rng, model: Decoder, rows: int | None = None, length: int | None = None) -> torch.Tensor:
    """Drawn token ids (B, T) for the model."""
    shape = (rows or whole(rng, 2, 4), length or whole(rng, 4, 7))
    return torch.randint(model.vocab, shape, generator=rng)


# --- parameters and training ---------------------------------------------------------------------


def trainable_names(model) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def trainable(model) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def snapshot(model) -> dict[str, tuple[nn.Parameter, torch.Tensor]]:
    """Every parameter of the model by name, with a copy of its numbers."""
    return {name: (parameter, parameter.detach().clone()) for name, parameter in model.named_parameters()}


def moved(before: dict) -> list[str]:
    """The names of the parameters that are not as they were, to the last bit."""
    return [name for name, (parameter, numbers) in before.items() if not torch.equal(parameter, numbers)]


def gradients(loss: torch.Tensor, parameters: list) -> list[torch.Tensor | None]:
    """The gradient of the loss for each parameter, None for one that it does not depend on."""
    if not parameters or not loss.requires_grad:
        return [None] * len(parameters)
    return list(torch.autograd.grad(loss, parameters, allow_unused=True))


def descend(parameters, loss_of, steps=4, rate=0.1) -> dict:
    """Plain gradient descent on these parameters. Returns the loss before and after."""
    losses = []
    for _ in range(steps):
        loss = loss_of()
        losses.append(loss.item())
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients(loss, parameters)):
                if gradient is not None:
                    parameter -= rate * gradient
    return {"loss before": losses[0], "loss after": losses[-1]}
