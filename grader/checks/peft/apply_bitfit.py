"""The checks of `apply_bitfit`."""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import check, rand, refusal
from grader.checks.peft.material import (
    VOCAB,
    WIDTH,
    Causal,
    descend,
    ids,
    linear,
    moved,
    snapshot,
    trainable,
    trainable_names,
)


class Odd(nn.Module):
    """Parameters whose names look like biases, and a bias that is no layer's."""

    def __init__(self, rng):
        super().__init__()
        self.bias_gate = linear(rng, WIDTH, WIDTH, bias=False)
        self.unbias = nn.Parameter(rand(rng, WIDTH))
        self.shift = nn.ParameterDict({"bias": nn.Parameter(rand(rng, WIDTH))})
        self.norm = nn.LayerNorm(WIDTH, dtype=torch.float64)
        self.classifier = linear(rng, WIDTH, 3)

    def forward(self, x):
        return self.classifier(self.norm(self.bias_gate(x) * self.unbias + self.shift["bias"]))


@check(
    "apply_bitfit",
    3,
    (
        "BitFit trains the small part that most people leave out.",
        "Train what is named bias: the last part of the qualified name. Freeze all the rest.",
        'name.rpartition(".")[2] == "bias"',
    ),
)
def only_biases_train(code, rng):
    """All biases of layers and norms train, and nothing else; their names are returned in model order."""
    model = Causal(rng)
    names = code.apply_bitfit(model)
    return {"returned": list(names), "trainable": trainable_names(model)}


@check(
    "apply_bitfit",
    2,
    (
        "Is every name with the letters bias in it a bias?",
        "Compare the last part of the name, not a piece of it: bias_gate.weight is a weight.",
        'name == "bias" or name.endswith(".bias")',
    ),
)
def a_bias_is_known_by_its_last_name_part(code, rng):
    """`bias_gate.weight` and `unbias` are no biases; a parameter `shift.bias` is one, whatever holds it."""
    model = Odd(rng)
    names = code.apply_bitfit(model)
    single = nn.Linear(3, 2)
    return {
        "returned": list(names),
        "trainable": trainable_names(model),
        "of a single layer": list(code.apply_bitfit(single)),
    }


@check(
    "apply_bitfit",
    2,
    (
        "A new task head must be trained as a whole.",
        "A parameter trains, too, if its qualified name contains one of the strings of `also`.",
        "any(part in name for part in also)",
    ),
)
def also_trains_what_is_named(code, rng):
    """Parameters whose qualified name contains a string of `also` train, too; names come in model order."""
    seen = {}
    for what, model, also in (
        ("classifier", Odd(rng), ["classifier"]),
        ("head and 1.o_proj", Causal(rng), ("head", "1.o_proj")),
        ("the whole name norm.weight", Odd(rng), ["norm.weight"]),
    ):
        names = code.apply_bitfit(model, also=also)
        seen[f"also {what}"] = {"returned": list(names), "trainable": trainable_names(model)}
    return seen


@check(
    "apply_bitfit",
    1,
    (
        "What if the model comes partly frozen?",
        "What trains afterwards depends on the names alone: freeze all, then thaw the biases.",
        "First freeze(model), then requires_grad_(True) for the chosen ones.",
    ),
)
def earlier_freezing_plays_no_role(code, rng):
    """Biases that were frozen before train afterwards, weights that were trainable do not, and all keep their numbers."""
    model = Causal(rng)
    model.blocks[0].requires_grad_(False)
    before = snapshot(model)
    names = code.apply_bitfit(model)
    return {"returned": list(names), "trainable": trainable_names(model), "moved": moved(before)}


@check(
    "apply_bitfit",
    1,
    (
        "Many recent models have hardly any bias.",
        "If there is no bias at all, raise a ValueError instead of training nothing.",
        'if not biases: raise ValueError("model has no bias")',
    ),
)
def refuses_a_model_without_bias(code, rng):
    """A model without any bias is a ValueError, also if `also` would match something."""
    bare = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh(), nn.Linear(3, 2, bias=False))
    return {
        "no bias": refusal(ValueError, lambda: code.apply_bitfit(bare)),
        "no bias, but also": refusal(ValueError, lambda: code.apply_bitfit(bare, also=["2.weight"])),
    }


@check(
    "apply_bitfit",
    1,
    (
        "After some steps, which tensors may have moved?",
        "The biases alone; the loss still falls.",
        "requires_grad is all that has to change.",
    ),
)
def training_moves_the_biases_alone(code, rng):
    """Gradient descent on what is trainable lowers the loss and leaves the weights as they were, bit for bit."""
    model = Causal(rng)
    code.apply_bitfit(model)
    before = snapshot(model)
    target = rand(rng, 3, 5, VOCAB)
    losses = descend(trainable(model), lambda: F.mse_loss(model(ids()), target))
    return losses | {"moved": moved(before)}
