"""The loss is a new tensor, made of a plain number.

item() leaves the graph behind, so backward() has nowhere to go. Return the tensor that was computed from the
logits.
"""
# Shows in: gradient_reaches_scored_positions_alone


def sft_loss(logits, labels):
    predicted, target = logits.float()[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(predicted, target, ignore_index=IGNORE_INDEX, reduction="sum").item()
    return torch.tensor(total / max(1, (target != IGNORE_INDEX).sum().item()))
