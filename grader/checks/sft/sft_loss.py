"""The checks of `sft_loss`."""

import torch

from grader.checks import grad_of, rand
from grader.checks.sft.material import IGNORE, VOCAB, check


def logits_and_labels(rng, rows=3, tokens=6):
    """Random logits, and labels with gaps: prompts, padding, and one row that is scored from its start."""
    logits = rand(rng, rows, tokens, VOCAB).requires_grad_()
    labels = torch.randint(0, VOCAB, (rows, tokens), generator=rng)
    labels[1, :3] = IGNORE
    labels[2, 1] = labels[2, 4:] = IGNORE
    return logits, labels


@check(
    "sft_loss",
    3,
    (
        "Which label does the model predict at position t? It has seen t already.",
        "logits[:, t] belong to labels[:, t + 1]: drop the last logits and the first label.",
        "F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)",
    ),
)
def position_t_predicts_the_next_label(code, rng):
    """The loss is the mean cross-entropy of logits at t against the labels at t + 1, over labels that are not -100."""
    logits, labels = logits_and_labels(rng)
    return {"loss": code.sft_loss(logits, labels)}


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
    seen = {}
    for what, place in {"all ignored": None, "only the first label left": 0}.items():
        logits = rand(rng, 2, 4, VOCAB).requires_grad_()
        labels = torch.full((2, 4), IGNORE)
        if place is not None:
            labels[:, place] = 5
        loss = code.sft_loss(logits, labels)
        loss.backward()
        seen[what] = {"loss": loss, "gradient": grad_of(logits)}
    one_token = rand(rng, 2, 1, VOCAB).requires_grad_()
    seen["texts of one token"] = {"loss": code.sft_loss(one_token, torch.full((2, 1), 5))}
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
    kept = logits.detach().clone(), labels.clone()
    first, second = code.sft_loss(logits, labels), code.sft_loss(logits, labels)
    return {
        "logits unchanged": torch.equal(logits, kept[0]),
        "labels unchanged": torch.equal(labels, kept[1]),
        "first loss": first,
        "second loss": second,
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
    """Logits of ±1000 give a finite loss."""
    logits, labels = logits_and_labels(rng)
    return {"loss in float32": code.sft_loss(1000 * logits.detach().float(), labels)}


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
    one = torch.tensor([[IGNORE, IGNORE, 4]])
    return {
        "loss of scattered tensors": code.sft_loss(scattered, columns),
        "loss of one token": code.sft_loss(rand(rng, 1, 3, VOCAB), one),
    }
