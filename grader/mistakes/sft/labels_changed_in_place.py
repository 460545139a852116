"""The labels of the caller are shifted in place.

The next use of the same batch shifts them again. Slices shift without changing anything.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    labels[:, :-1] = labels[:, 1:].clone()
    labels[:, -1] = IGNORE_INDEX
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (labels != IGNORE_INDEX).sum().clamp(min=1)
