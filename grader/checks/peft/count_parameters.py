"""The checks of `count_parameters`."""

from torch import nn

from grader.checks import check
from grader.checks.peft.material import Causal


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
    """The result has the attributes trainable and total, in this order, and counts numbers, not tensors."""
    model = Causal(rng)
    model.blocks.requires_grad_(False)
    count = code.count_parameters(model)
    return {"trainable": count.trainable, "total": count.total, "as a tuple": list(count)}


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
    """A tensor that two modules share counts once, trainable or frozen."""
    model = Causal(rng)
    model.head.weight = model.embed.weight
    seen = {"trained": list(code.count_parameters(model))}
    model.embed.weight.requires_grad_(False)
    return seen | {"with the shared tensor frozen": list(code.count_parameters(model))}


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
    """Buffers do not count; a frozen model has 0 trainable; a module without parameters has (0, 0)."""
    norm = nn.BatchNorm1d(5)
    return {
        "a batch norm of width 5": list(code.count_parameters(norm)),
        "frozen": list(code.count_parameters(nn.Linear(4, 3).requires_grad_(False))),
        "no parameters": list(code.count_parameters(nn.Tanh())),
    }
