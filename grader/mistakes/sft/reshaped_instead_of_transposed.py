"""The logits are reshaped to (B, V, T) instead of transposed.

cross_entropy takes the classes in dimension 1. reshape() cuts the same numbers otherwise, and mixes tokens
with positions. Use transpose(1, 2), or flatten rows and positions.
"""
# Shows in: position_t_predicts_the_next_label


def sft_loss(logits, labels):
    predicted, target = logits.float()[:, :-1], labels[:, 1:]
    predicted = predicted.reshape(predicted.shape[0], predicted.shape[2], predicted.shape[1])
    total = F.cross_entropy(predicted, target, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
