"""With no label left the loss is the sum of the logits times 0, which may be NaN.

In float16 a sum beyond 65504 is infinite, and infinity times 0 is NaN. Take the sum over no labels instead,
or multiply before you add.
"""
# Shows in: no_label_gives_zero_with_a_graph


def sft_loss(logits, labels):
    target = labels[:, 1:].flatten()
    if (target == IGNORE_INDEX).all():
        return logits.sum() * 0.0
    return F.cross_entropy(logits.float()[:, :-1].flatten(0, 1), target, ignore_index=IGNORE_INDEX)
