"""The labels are smoothed.

Label smoothing moves a part of the target to all other tokens, so the loss is no longer the negative
log-probability of the answer. The contract's loss is plain cross-entropy.
"""
# Shows in: position_t_predicts_the_next_label


def sft_loss(logits, labels):
    predicted, target = logits.float()[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(predicted, target, ignore_index=IGNORE_INDEX, reduction="sum", label_smoothing=0.1)
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
