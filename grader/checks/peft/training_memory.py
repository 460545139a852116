"""The checks of `training_memory`."""

from grader.checks import check, refusal, tried, whole

PARTS = ("weights", "gradients", "optimizer", "total")


def bill_of(code, *counts, **arguments) -> dict:
    """The four parts of the bill, in this order."""
    bill = code.training_memory(*counts, **arguments)
    return {part: bill[part] for part in PARTS}


def drawn_total(rng) -> int:
    """The size of a language model."""
    return whole(rng, 10_000_000, 70_000_000_000)


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
    """If all parameters are trained, each costs 16 bytes: 7 billion take 112 GB. All is in bytes, and in its parts."""
    drawn = drawn_total(rng)
    return tried(
        rng,
        **{
            "7 billion": lambda: bill_of(code, 7_000_000_000, 7_000_000_000),
            f"{drawn:,}": lambda: bill_of(code, drawn, drawn),
        },
    )


@check(
    "training_memory",
    2,
    (
        "Which of the three parts shrinks when little is trained?",
        "All weights are held. Gradients and optimizer state exist for trained parameters alone.",
        "weights from total; gradients and optimizer from trainable",
    ),
)
def frozen_weights_have_no_gradients(code, rng):
    """Frozen parameters cost their weight, and neither gradients nor optimizer state."""
    total = drawn_total(rng)
    few, many = whole(rng, 1, total // 100), whole(rng, total // 2 + 1, total - 1)
    return {
        f"{few:,} of {total:,} trained": bill_of(code, total, few),
        f"{many:,} of {total:,} trained": bill_of(code, total, many),
        f"nothing of {total:,} trained": bill_of(code, total, 0),
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
    total = drawn_total(rng)
    trainable = whole(rng, 1, total)
    weight, grad, optimizer = whole(rng, 3, 5), whole(rng, 6, 8), whole(rng, 13, 20)
    return {
        "all three given": bill_of(
            code, total, trainable, weight_bytes=weight, grad_bytes=grad, optimizer_bytes=optimizer
        ),
        f"{weight} bytes a weight": bill_of(code, total, trainable, weight_bytes=weight),
        f"{grad} bytes a gradient": bill_of(code, total, trainable, grad_bytes=grad),
        "an optimizer without state": bill_of(code, total, trainable, optimizer_bytes=0),
    }


@check(
    "training_memory",
    1,
    (
        "Could more parameters be trained than there are?",
        "trainable may be anything up to total, total included. More is a ValueError that names the argument.",
        'if trainable > total: raise ValueError(f"trainable must not exceed total={total}, got {trainable}")',
    ),
)
def refuses_more_trained_than_there_are(code, rng):
    """More trainable parameters than there are at all is a ValueError that names `trainable`; all of them, or none, is right."""
    total = drawn_total(rng)

    def refused(trainable: int) -> dict:
        return refusal(ValueError, lambda: code.training_memory(total, trainable), "trainable")

    return tried(
        rng,
        **{
            "one more than there are": lambda: refused(total + 1),
            "many more than there are": lambda: refused(total * whole(rng, 2, 9)),
            "all trained": lambda: bill_of(code, total, total),
            "all but one trained": lambda: bill_of(code, total, total - 1),
            "none trained": lambda: bill_of(code, total, 0),
        },
    )
