"""The logits at t are compared with the label at t.

At position t the model has read token t already, so it learns to copy its input. Position t predicts label t
+ 1: drop the last logits and the first label.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (labels != IGNORE_INDEX).sum().clamp(min=1)
