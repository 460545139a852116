"""The checks of `sequence_logprobs`."""

import torch

from grader.checks import check, grad_of, rand, tried, whole
from grader.checks.preference.material import IGNORE, logits_and_labels, number


@check(
    "sequence_logprobs",
    3,
    (
        "Which label does the model predict at position t? And is a long answer less probable than its first half?",
        "logits[:, t] belong to labels[:, t + 1]. Add up the log-probabilities of the labels that are not -100; take no mean.",
        "-F.cross_entropy(logits[:, :-1].mT, labels[:, 1:], ignore_index=-100, reduction='none').sum(dim=1)",
    ),
)
def sums_over_the_scored_tokens(code, rng):
    """Each row gives the sum of the log-probabilities of its labels at t + 1, predicted at t, over labels that are not -100."""
    return {f"log-probabilities of batch {n}": number(code.sequence_logprobs(*logits_and_labels(rng))) for n in (1, 2)}


@check(
    "sequence_logprobs",
    2,
    (
        "DPO learns through these numbers. Which logits may get a gradient?",
        "Only those in front of a scored label. Nothing on the way is detached or runs under no_grad.",
        "F.log_softmax(logits[:, :-1], dim=-1).gather(...), where ignored places become 0 by masked_fill or torch.where",
    ),
)
def gradient_reaches_the_scored_positions(code, rng):
    """The gradient of the logits is that of the formula, and zero where the next label is -100."""
    logits, labels = logits_and_labels(rng)
    logits.requires_grad_()
    (code.sequence_logprobs(logits, labels) * rand(rng, len(labels))).sum().backward()
    return {"gradient of the logits": grad_of(logits)}


@check(
    "sequence_logprobs",
    1,
    (
        "What is a sum over nothing, and what would backward() say to a new tensor of zeros?",
        "An empty sum of the logits' log-probabilities is a zero that still hangs on them. Make no special case.",
        "values.masked_fill(labels[:, 1:] == -100, 0.0).sum(dim=1)",
    ),
)
def nothing_scored_gives_zero_with_a_graph(code, rng):
    """A row without a scored token gives 0, and backward() works; a first label alone, or a single token, is not scored."""
    logits, labels = logits_and_labels(rng)
    labels[whole(rng, 0, len(labels) - 1)] = IGNORE
    first_alone = labels.clone()
    first_alone[:, 0], first_alone[:, 1:] = whole(rng, 1, 9), IGNORE

    def result_and_gradient(logits, labels):
        logits = logits.clone().requires_grad_()
        found = code.sequence_logprobs(logits, labels)
        found.sum().backward()
        return {"log-probabilities": number(found), "gradient": grad_of(logits)}

    return tried(
        rng,
        **{
            "a row without labels": lambda: result_and_gradient(logits, labels),
            "no labels at all": lambda: result_and_gradient(logits, torch.full_like(labels, IGNORE)),
            "only first labels left": lambda: result_and_gradient(logits, first_alone),
            "texts of one token": lambda: result_and_gradient(logits[:, :1], first_alone[:, :1]),
        },
    )


@check(
    "sequence_logprobs",
    2,
    (
        "A bfloat16 has three digits at best. How exact is the sum of an answer's tokens then?",
        "Make the logits float32 before the logarithm and the sum, whatever they came in, and leave the result so.",
        "logits = logits.float()",
    ),
)
def takes_logits_in_half_precision(code, rng):
    """Logits in bfloat16 or float16 give what the same numbers give in float32."""
    seen = {}
    for dtype in (torch.bfloat16, torch.float16):
        for n in (1, 2, 3):
            logits, labels = logits_and_labels(rng)
            seen[f"batch {n}, {dtype} logits"] = number(code.sequence_logprobs(logits.to(dtype), labels))
    return seen


@check(
    "sequence_logprobs",
    1,
    (
        "In float32 exp(1000) is infinite, and exp(-200) is zero.",
        "Work with logarithms from the start: log_softmax subtracts the largest logit first.",
        "Use F.cross_entropy or F.log_softmax, never torch.log(torch.softmax(...)).",
    ),
)
def large_logits_stay_finite(code, rng):
    """Logits of about 1000, some of them 200 apart, give the right log-probabilities and a finite gradient."""
    logits, labels = logits_and_labels(rng)
    large = (whole(rng, 900, 1100) + 50 * logits).float().requires_grad_()
    found = code.sequence_logprobs(large, labels)
    found.sum().backward()
    return {"log-probabilities": number(found), "gradient is finite": bool(large.grad.isfinite().all())}


@check(
    "sequence_logprobs",
    1,
    (
        "A slice of a tensor is a view: what is written into it is written into the labels of the caller.",
        "Replace -100 in a copy, and reshape instead of view where a tensor may not lie in one piece.",
        "safe = labels[:, 1:].clamp(min=0) makes a new tensor; labels[labels == -100] = 0 changes the given one.",
    ),
)
def takes_any_layout_and_changes_nothing(code, rng):
    """Scattered tensors and a batch of one row work, and logits and labels are as they were."""
    logits, labels = logits_and_labels(rng)
    scattered, columns = logits.transpose(0, 1).contiguous().transpose(0, 1), labels.T.contiguous().T
    return {
        "log-probabilities of scattered tensors": number(code.sequence_logprobs(scattered, columns)),
        "log-probabilities of one row": number(code.sequence_logprobs(logits[:1], labels[:1])),
        "labels afterwards": columns,
        "labels of the one row afterwards": labels[:1],
        "logits afterwards": scattered,
    }
