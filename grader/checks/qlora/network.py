"""Models of drawn names and depths, whose layers are put in four bits, and one that is made ready for adapters."""

import torch
from torch import nn

from grader.checks import rand, shuffled, some, whole
from grader.checks.lora.borrowed import lora_linear
from grader.checks.lora.network import LAYERS, PLACES, Chain, Narrow, buried, shelf
from grader.checks.qlora.material import SCALINGS, linear

WIDTH, VOCABULARY = 13, 11  # a weight has three blocks
NAMES = [name for name in LAYERS if name != "lm_head"]


def layer(rng, n_in: int = WIDTH, n_out: int = WIDTH, bias=True, kind=nn.Linear) -> nn.Linear:
    """A layer whose codes are beyond doubt, with numbers so small that the output does not grow with the depth."""
    made = linear(rng, n_in, n_out, bias, kind=kind)
    made.weight.data /= 8
    return made


def narrow(rng, names: list[str], **options) -> Narrow:
    """Two layers of these names, down to a smaller width and up again."""
    down, up = names
    return Narrow((down, layer(rng, WIDTH, WIDTH - 1, **options)), (up, layer(rng, WIDTH - 1, WIDTH, **options)))


def nested(rng, names: list[str], more: list[nn.Module] = ()) -> Chain:
    """A model with layers of these six names at its root, in lists, dicts and containers, and deep down."""
    root, *inner = names
    parts = [
        narrow(rng, inner[:2], bias=False),
        buried(rng, narrow(rng, inner[2:4]), whole(rng, 2, 4)),
        Chain({inner[4]: layer(rng), "norm": nn.LayerNorm(WIDTH)}),
        *more,
    ]
    body, *others = some(rng, 3, PLACES)
    held = {root: layer(rng), body: shelf(rng, shuffled(rng, parts)), others[0]: nn.LayerNorm(WIDTH)}
    return Chain(dict(shuffled(rng, list(held.items()))))


def lora(rng, base: nn.Linear) -> nn.Module:
    """A LoRALinear of the problem before, with factors that are not zero."""
    rank = whole(rng, 3, 4)
    made = lora_linear()(base, rank, rank * some(rng, 1, SCALINGS)[0])
    with torch.no_grad():
        made.lora_A.copy_(0.1 * rand(rng, *made.lora_A.shape))
        made.lora_B.copy_(0.1 * rand(rng, *made.lora_B.shape))
    return made


def text(rng) -> torch.Tensor:
    return torch.randint(VOCABULARY, (2, 4), generator=rng)


class Tied(nn.Module):
    """A language model whose head shares its weight with the embedding. The names are drawn.

    Args:
        embedding, head: their names.
        body: a module of a drawn name.
    """

    def __init__(self, rng, embedding: str, body: nn.Module, head: str):
        super().__init__()
        place = some(rng, 1, PLACES)[0]
        self.names = embedding, place, head
        self.add_module(embedding, nn.Embedding(VOCABULARY, WIDTH))
        self.add_module(place, body)
        self.add_module(head, layer(rng, WIDTH, VOCABULARY))
        getattr(self, embedding).weight = getattr(self, head).weight

    def forward(self, input_ids):
        embedding, place, head = (getattr(self, name) for name in self.names)
        return head(place(embedding(input_ids)))


class Block(nn.Module):
    """A block as it is left by quantisation: codes that are no numbers to compute with, a norm in half precision, and
    a place for an adapter, a layer that trains."""

    def __init__(self, rng, names: dict[str, torch.dtype]):
        super().__init__()
        self.register_buffer("codes", torch.randint(256, (WIDTH,), generator=rng).to(torch.uint8))
        self.packed = nn.Parameter(torch.randint(256, (WIDTH,), generator=rng).to(torch.uint8), requires_grad=False)
        self.names = list(names)
        for name, dtype in names.items():
            self.register_parameter(name, nn.Parameter((1 + 0.1 * rand(rng, WIDTH)).to(dtype)))
        self.adapter = None

    def forward(self, x):
        for name in self.names:
            x = (x * getattr(self, name).to(x.dtype)).tanh()
        x = x + (self.codes.float() - self.packed.float()) / 256
        return x if self.adapter is None else x + self.adapter(x)


class Backbone(nn.Module):
    """A model with input embeddings under a drawn name, beside another embedding that has the usual one. Or the other way
    round.

    Its blocks act as checkpointed ones do: they have a gradient only if their input requires one.
    """

    def __init__(self, rng, dtype: torch.dtype, usual: bool = False):
        super().__init__()
        other = some(rng, 1, ["tok", "wte", "word_embeddings", "shared", "embedder", "inputs", "lookup", "table"])[0]
        names = some(rng, 4, ["norm", "ln_1", "ln_2", "input_norm", "scale", "gain", "gamma", "final_norm"])
        dtypes = shuffled(rng, [torch.float16, torch.bfloat16, torch.float32, torch.float64])
        self.name = "embed_tokens" if usual else other
        for name in shuffled(rng, ["embed_tokens", other]):
            embedding = nn.Embedding(VOCABULARY, WIDTH, dtype=dtype)
            embedding.weight.data = rand(rng, VOCABULARY, WIDTH, dtype=dtype)
            self.add_module(name, embedding)
        self.blocks = nn.ModuleList(
            [Block(rng, dict(zip(shuffled(rng, names), shuffled(rng, dtypes)))) for _ in range(2)]
        )
        for parameter in self.parameters():
            full = parameter.dtype in (torch.float32, torch.float64)  # the others may have been frozen before
            parameter.requires_grad_(parameter.is_floating_point() and (full or bool(whole(rng, 0, 3))))

    def get_input_embeddings(self):
        return getattr(self, self.name)

    def forward(self, input_ids, attention_mask=None):
        x = self.get_input_embeddings()(input_ids).float()
        for block in self.blocks:
            # What torch.utils.checkpoint comes to, which takes seconds to load.
            with torch.set_grad_enabled(x.requires_grad):
                x = block(x)
        return x
