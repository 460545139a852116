"""Labels that are 0 are ignored, as if they were padding.

0 is the id of a token like others. What is ignored has the label -100, whatever the padding token is.
"""
# Shows in: position_t_predicts_the_next_label


def sft_loss(logits, labels):
    predicted, target = logits.float()[:, :-1], labels[:, 1:]
    scored = target > 0
    return F.cross_entropy(predicted[scored], target[scored], reduction="sum") / scored.sum().clamp(min=1)
