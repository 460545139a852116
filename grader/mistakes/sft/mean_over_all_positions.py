"""The sum is divided by all positions, ignored ones included.

Then prompt and padding dilute the loss, and a batch with more padding learns more slowly. Divide by the
number of labels that are not -100.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:]
    total = F.cross_entropy(logits[:, :-1].flatten(0, 1), target.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / max(1, target.numel())
