"""The checks of `sft_loss`."""

import torch

from grader.checks import check, grad_of, rand, tried, whole
from grader.checks.sft.material import IGNORE


def logits_and_labels(rng):
    """Drawn logits, and labels with gaps, in a drawn order of rows.

    One row is scored from its start, one has a prompt, one two turns. The id 0 is a label like others.
    """
    rows, tokens, vocabulary = whole(rng, 4, 6), whole(rng, 6, 9), whole(rng, 10, 16)
    logits = 2 * rand(rng, rows, tokens, vocabulary)
    labels = torch.randint(0, vocabulary, (rows, tokens), generator=rng)
    labels[0, 1:3] = 0
    labels[1, : whole(rng, 2, 4)] = IGNORE
    labels[2, 1] = labels[2, 4:] = IGNORE
    return logits.requires_grad_(), labels[torch.randperm(rows, generator=rng)]


def number(loss: torch.Tensor) -> torch.Tensor:
    """The loss without its graph. Its dtype is free, as long as it is exact enough."""
    return torch.as_tensor(loss).detach().double()


@check(
    "sft_loss",
    2,
    (
        "Which label does the model predict at position t? It has seen t already.",
        "logits[:, t] belong to labels[:, t + 1]: drop the last logits and the first label.",
        "F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)",
    ),
)
def position_t_predicts_the_next_label(code, rng):
    """The loss is the mean cross-entropy of logits at t against the labels at t + 1, over labels that are not -100."""
    return {f"loss of batch {n}": number(code.sft_loss(*logits_and_labels(rng))) for n in (1, 2)}


@check(
    "sft_loss",
    2,
    (
        "Which logits may get a gradient?",
        "Only those in front of a scored label. The mean is over scored labels, not over rows.",
        "One mean over all scored labels of the batch; no mean per row first.",
    ),
)
def gradient_reaches_scored_positions_alone(code, rng):
    """The gradient of the logits is that of the formula, and zero where the next label is -100."""
    logits, labels = logits_and_labels(rng)
    code.sft_loss(logits, labels).backward()
    return {"gradient of the logits": grad_of(logits)}


@check(
    "sft_loss",
    2,
    (
        "What does a mean over no labels give? And what would NaN do to the weights?",
        "Divide a sum by max(count, 1): the result is a zero that still hangs on the logits.",
        'F.cross_entropy(..., reduction="sum") / count.clamp(min=1)',
    ),
)
def no_label_gives_zero_with_a_graph(code, rng):
    """With no label left the loss is 0, backward() works, and the gradients are zeros; a first label alone does not count."""
    logits, labels = logits_and_labels(rng)
    labels[whole(rng, 0, len(labels) - 1)] = IGNORE
    first_alone = labels.clone()
    first_alone[:, 1:] = IGNORE

    def loss_and_gradient(logits, labels):
        logits = logits.detach().clone().requires_grad_()
        loss = code.sft_loss(logits, labels)
        loss.backward()
        return {"loss": number(loss), "gradient": grad_of(logits)}

    return tried(
        rng,
        **{
            "all ignored": lambda: loss_and_gradient(logits, torch.full_like(labels, IGNORE)),
            "only first labels left": lambda: loss_and_gradient(logits, first_alone),
            "texts of one token": lambda: loss_and_gradient(logits[:, :1], labels[:, :1]),
            "all ignored, with logits that have no sum in float16": lambda: loss_and_gradient(
                (9000 + logits).half(), torch.full_like(labels, IGNORE)
            ),
            "a row without labels": lambda: loss_and_gradient(logits, labels),
        },
    )


@check(
    "sft_loss",
    1,
    (
        "How many digits has a bfloat16? Three, at best.",
        "Make the logits float32 before the logarithm and the sum, whatever they came in.",
        "logits = logits.float()",
    ),
)
def takes_half_precision(code, rng):
    """Logits in bfloat16 or float16 give the loss of the same numbers, up to the rounding of these formats."""
    seen = {}
    for dtype in (torch.bfloat16, torch.float16):
        logits, labels = logits_and_labels(rng)
        logits = logits.detach().to(dtype)
        seen[f"loss of {dtype} logits"] = number(code.sft_loss(logits, labels)).bfloat16()
        seen[f"loss of the same {dtype} numbers in float64"] = number(code.sft_loss(logits.double(), labels))
    return seen


@check(
    "sft_loss",
    1,
    (
        "The caller needs the logits and the labels afterwards.",
        "Shift by slicing, which makes views, and change nothing in place.",
        "No labels[:, 0] = ... and no roll written back.",
    ),
)
def loss_changes_nothing(code, rng):
    """Logits and labels are as they were, and a second call gives the same."""
    logits, labels = logits_and_labels(rng)
    logits = logits.detach().clone()
    first, second = code.sft_loss(logits, labels), code.sft_loss(logits, labels)
    return {
        "first loss": number(first),
        "labels afterwards": labels,
        "logits afterwards": logits,
        "second loss": number(second),
    }


@check(
    "sft_loss",
    1,
    (
        "exp(1000) is infinite.",
        "Work with logarithms from the start: log_softmax subtracts the largest logit first.",
        "Use F.cross_entropy or F.log_softmax, never torch.log(torch.softmax(...)).",
    ),
)
def large_logits_do_not_overflow(code, rng):
    """Logits of ±1000 give the right loss, which is finite."""
    logits, labels = logits_and_labels(rng)
    large = (1000 * logits.detach()).float()
    large[..., 0] = large[..., 1] = large.amax(dim=-1)  # the two largest are equal, so the loss is more than a difference
    large.requires_grad_()
    loss = code.sft_loss(large, labels)
    loss.backward()
    return {"loss": number(loss), "gradient is finite": bool(large.grad.isfinite().all())}


@check(
    "sft_loss",
    1,
    (
        "Slices and transposed tensors do not lie in one piece in memory.",
        "reshape and flatten copy if they must; view refuses.",
        "logits[:, :-1].reshape(-1, V) or .flatten(0, 1)",
    ),
)
def takes_tensors_of_any_layout(code, rng):
    """Tensors that are not contiguous, a single row, and one scored token give the right scalar."""
    logits, labels = logits_and_labels(rng)
    scattered = logits.detach().transpose(0, 1).contiguous().transpose(0, 1)
    columns = labels.T.contiguous().T
    one = torch.tensor([[IGNORE, IGNORE, whole(rng, 1, 9)]])
    return {
        "loss of scattered tensors": number(code.sft_loss(scattered, columns)),
        "loss of one token": number(code.sft_loss(logits.detach()[:1, :3], one)),
    }
