"""The loss is the sum over the scored labels, not their mean.

Then the size of the gradient depends on how long the answers are. Divide by the number of scored labels.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:].flatten()
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), target, ignore_index=IGNORE_INDEX, reduction="sum")
