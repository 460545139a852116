"""The labels are shifted by two.

The model learns to foretell the token after the next one. Shift once, in the loss: logits[:, :-1] against
labels[:, 1:].
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 2:]
    total = F.cross_entropy(logits[:, :-2].flatten(0, 1), target.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
