"""The checks of `count_parameters`."""

import torch
from torch import nn

from grader.checks import check, some, whole
from grader.checks.peft.material import a_linear, a_name, decoder, token_ids
from grader.checks.peft.parameters import GAINS, Stack, like_biases


def counts(code, model) -> dict:
    """Both counts, whatever holds them and of whatever kind of number they are."""
    count = code.count_parameters(model)
    return {"trainable": int(count.trainable), "total": int(count.total)}


def freeze_some(rng, model) -> None:
    """Freeze a drawn half of the parameters."""
    parameters = list(model.parameters())
    for parameter in some(rng, len(parameters) // 2, parameters):
        parameter.requires_grad_(False)


@check(
    "count_parameters",
    1,
    (
        "How many numbers does a matrix of 3 rows and 4 columns hold?",
        "Add up numel(): of those that require a gradient, and of all.",
        "ParameterCount(trainable=sum(p.numel() for p in ... if p.requires_grad), total=sum(...))",
    ),
)
def counts_numbers(code, rng):
    """The attributes trainable and total count numbers, not tensors or bytes, of parameters wherever they lie."""
    whole_model = decoder(rng, tied=False)
    whole_model(token_ids(rng, whole_model)).sum().backward()  # what is frozen later keeps its gradient
    freeze_some(rng, whole_model)
    odd, _ = like_biases(rng)
    freeze_some(rng, odd)
    mixed = Stack(
        {"16 bits": a_linear(rng, whole(rng, 2, 90), whole(rng, 2, 90)).bfloat16()},
        {a_name(rng, GAINS): torch.tensor(1.0)},
    )
    large = nn.Sequential(*(nn.Linear(whole(rng, 999, 9999), whole(rng, 999, 9999), device="meta") for _ in range(3)))
    large[whole(rng, 0, 2)].requires_grad_(False)
    return {
        "a model of which a part is frozen": counts(code, whole_model),
        "tensors in containers": counts(code, odd),
        "a single number, and a layer in 16 bits": counts(code, mixed),
        "a large model on the device meta, without memory": counts(code, large),
    }


@check(
    "count_parameters",
    2,
    (
        "A language model often uses one matrix twice: to read tokens and to score them.",
        "model.parameters() lists a shared tensor once; state_dict() and a walk over modules list it twice.",
        "sum(p.numel() for p in model.parameters())",
    ),
)
def a_shared_tensor_counts_once(code, rng):
    """A tensor that several modules share counts once, trainable or frozen; two that are equal count as two."""
    model = decoder(rng, tied=True)
    seen = {"embedding and head in one": counts(code, model)}
    model.get_input_embeddings().weight.requires_grad_(False)
    seen["the shared tensor frozen"] = counts(code, model)
    width = whole(rng, 3, 40)
    layers = [nn.Linear(width, width) for _ in range(3)]
    layers[2].weight = layers[1].weight = layers[0].weight
    twice = nn.ModuleDict(
        {"first": nn.ModuleList(layers), "norms": nn.ModuleList(nn.LayerNorm(width) for _ in range(2))}
    )
    twice.add_module("again", layers[whole(rng, 0, 2)])
    return seen | {"a matrix in three layers, one of them under two names": counts(code, twice)}


@check(
    "count_parameters",
    1,
    (
        "What is the count of a model that is frozen, or has no parameters?",
        "Buffers, such as the running mean of a batch norm, are no parameters.",
        "Use parameters(), not state_dict() or buffers().",
    ),
)
def counts_nothing_that_is_no_parameter(code, rng):
    """Buffers do not count; a frozen model has 0 trainable; a module without parameters has 0 and 0."""
    norm = nn.BatchNorm1d(whole(rng, 3, 60))
    norm.register_buffer("centre", torch.zeros(whole(rng, 2, 60)))
    frozen = nn.Linear(whole(rng, 3, 60), whole(rng, 3, 60)).requires_grad_(False)
    return {
        "a batch norm with buffers": counts(code, norm),
        "frozen": counts(code, frozen),
        "no parameters": counts(code, nn.Sequential(nn.Dropout(), nn.Tanh())),
    }
