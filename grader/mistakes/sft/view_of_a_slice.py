"""view() is called on a slice.

A slice along the tokens does not lie in one piece in memory, and view() refuses it. reshape() and flatten()
copy if they must.
"""
# Shows in: takes_tensors_of_any_layout


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:]
    total = F.cross_entropy(logits[:, :-1].view(-1, logits.shape[-1]), target.view(-1), reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
