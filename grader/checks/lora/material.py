"""The checks of the LoRA problem.

Sizes are chosen so that no coincidence hides a mistake: in ≠ out, rank ≠ 2, alpha ≠ rank. The scaling,
7.5 / 3 = 2.5, is exact in every floating-point format, so that how it is stored makes no difference.
"""

import torch
from torch import nn

from grader.checks import rand, set_parameter

IN, OUT, RANK, ALPHA = 7, 5, 3, 7.5


def linear(rng, n_in=IN, n_out=OUT, bias=True, dtype=torch.float64) -> nn.Linear:
    """A linear layer with random weights."""
    layer = nn.Linear(n_in, n_out, bias=bias, dtype=dtype)
    for parameter in layer.parameters():
        parameter.data = rand(rng, *parameter.shape, dtype=dtype)
    return layer


def fresh(code, rng, n_in=IN, n_out=OUT, *, bias=True, dtype=torch.float64, **options):
    """A LoRALinear as the learner's code makes it."""
    return code.LoRALinear(linear(rng, n_in, n_out, bias, dtype), RANK, ALPHA, **options)


def fill(layer, rng) -> None:
    """Random numbers into both factors, as if the layer had been trained."""
    rank, n_in, n_out = RANK, layer.base.in_features, layer.base.out_features
    set_parameter(layer, "lora_A", rand(rng, rank, n_in, dtype=layer.base.weight.dtype))
    set_parameter(layer, "lora_B", rand(rng, n_out, rank, dtype=layer.base.weight.dtype))


def trained(code, rng, n_in=IN, n_out=OUT, **options):
    """A LoRALinear with factors that are not zero."""
    layer = fresh(code, rng, n_in, n_out, **options)
    fill(layer, rng)
    return layer


class Block(nn.Module):
    """One residual block whose layers' names contain each other."""

    def __init__(self, rng, width=6):
        super().__init__()
        self.q_proj = linear(rng, width, width)
        self.my_q_proj = linear(rng, width, width)
        self.norm = nn.LayerNorm(width, dtype=torch.float64)
        self.q_proj_gate = nn.Sequential(linear(rng, width, width), nn.Tanh())
        self.v_proj = linear(rng, width, 4, bias=False)
        self.out = linear(rng, 4, width)

    def forward(self, x):
        mixed = self.q_proj(self.norm(x)) + self.my_q_proj(x).tanh() + self.q_proj_gate(x)
        return x + self.out(self.v_proj(mixed))


class Model(nn.Module):
    """A small network of two blocks, called with token ids (B, T)."""

    def __init__(self, rng, width=6):
        super().__init__()
        self.embed = nn.Embedding(9, width, dtype=torch.float64)
        self.blocks = nn.ModuleList(Block(rng, width) for _ in range(2))
        self.head = linear(rng, width, 9)
        self.embed.weight.data = rand(rng, 9, width)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


IDS = torch.tensor([[1, 4, 2, 8, 5], [7, 0, 3, 6, 1]])


def injected(code, rng, targets=("q_proj", "v_proj"), **options):
    """A model with LoRA on some layers, its factors filled."""
    model = Model(rng)
    code.inject_lora(model, list(targets), RANK, ALPHA, **options)
    for module in model.modules():
        if isinstance(module, code.LoRALinear):
            fill(module, rng)
    return model


def wrapped_names(code, model) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, code.LoRALinear)]


def trainable_names(model) -> list[str]:
    return sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)
