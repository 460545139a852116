"""The sum is divided by the number of rows.

That is the mean loss of a text, not of a token: long answers give large losses. Divide by the number of
labels that are not -100.
"""
# Shows in: position_t_predicts_the_next_label


def sft_loss(logits, labels):
    predicted, target = logits.float()[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    return F.cross_entropy(predicted, target, ignore_index=IGNORE_INDEX, reduction="sum") / len(labels)
