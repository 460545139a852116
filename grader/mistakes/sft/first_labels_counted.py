"""The sum is divided by the number of all labels, the first of each row included.

No position predicts the first label of a row, so it is not in the sum. Count the labels after the shift:
labels[:, 1:] != -100.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:].flatten()
    total = F.cross_entropy(logits[:, :-1].flatten(0, 1), target, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (labels != IGNORE_INDEX).sum().clamp(min=1)
