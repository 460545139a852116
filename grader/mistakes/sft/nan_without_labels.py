"""With no label left the loss is NaN.

The mean of cross_entropy over no labels is 0 / 0, and one NaN makes every weight NaN at the next step. Divide
a sum by max(count, 1).
"""


def sft_loss(logits, labels):
    logits = logits.float()
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORE_INDEX)
