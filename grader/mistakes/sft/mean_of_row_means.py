"""The mean is taken row by row, and then over the rows.

A token of a short answer then counts more than one of a long answer. One mean over all scored labels of the
batch.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:]
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), target, ignore_index=IGNORE_INDEX, reduction="none")
    rows = losses.sum(dim=1) / (target != IGNORE_INDEX).sum(dim=1).clamp(min=1)
    return rows.mean()
