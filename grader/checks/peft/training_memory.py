"""The checks of `training_memory`."""

from grader.checks import check


@check(
    "training_memory",
    2,
    (
        "16 bytes for each trained parameter: which ones?",
        "2 for the weight, 2 for its gradient, 12 for the optimizer: an fp32 copy and two moments.",
        "total · weight_bytes + trainable · (grad_bytes + optimizer_bytes)",
    ),
)
def full_fine_tuning_costs_sixteen_bytes(code, rng):
    """7 billion parameters, all trained: 112 GB, in its parts."""
    return dict(code.training_memory(7_000_000_000, 7_000_000_000))


@check(
    "training_memory",
    3,
    (
        "Which of the three parts shrinks when little is trained?",
        "All weights are held. Gradients and optimizer state exist for trained parameters alone.",
        "weights from total; gradients and optimizer from trainable",
    ),
)
def frozen_weights_have_no_gradients(code, rng):
    """Frozen parameters cost their weight, and neither gradients nor optimizer state."""
    return {
        "13 of 1000 trained": dict(code.training_memory(1000, 13)),
        "nothing trained": dict(code.training_memory(1000, 0)),
    }


@check(
    "training_memory",
    1,
    (
        "Which argument belongs to which part?",
        "Each part multiplies its own number of bytes.",
        "weights: total * weight_bytes; gradients: trainable * grad_bytes; optimizer: trainable * optimizer_bytes",
    ),
)
def other_formats_have_other_bytes(code, rng):
    """weight_bytes, grad_bytes and optimizer_bytes each act on their own part; total is the sum."""
    return {
        "fp32, Adam": dict(code.training_memory(1000, 17, weight_bytes=4, grad_bytes=4, optimizer_bytes=8)),
        "8-bit weights, SGD": dict(code.training_memory(1000, 17, weight_bytes=1, grad_bytes=3, optimizer_bytes=0)),
    }
