"""The labels are rolled, so the last position is scored with the first label.

torch.roll puts what leaves on one side back on the other. Drop the last logits, or set the last label to
-100.
"""
# Shows in: position_t_predicts_the_next_label


def sft_loss(logits, labels):
    target = torch.roll(labels, shifts=-1, dims=1).flatten()
    total = F.cross_entropy(logits.float().flatten(0, 1), target, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
