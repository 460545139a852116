"""softmax is applied before cross_entropy.

cross_entropy applies log_softmax itself. On probabilities it sees logits between 0 and 1, and the gradient
becomes tiny. Give it the logits.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:]
    predicted = logits[:, :-1].softmax(dim=-1).flatten(0, 1)
    total = F.cross_entropy(predicted, target.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
