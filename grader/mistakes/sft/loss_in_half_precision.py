"""The loss is computed in the dtype of the logits, in half precision, say.

bfloat16 has 8 binary digits: a logarithm is off by up to 0.4 %, and sums lose their small terms. Logits are
made float32 first: logits.float().
"""
# Shows in: half_precision_is_computed_in_float32


def sft_loss(logits, labels):
    predicted, target = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(predicted, target, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (target != IGNORE_INDEX).sum().clamp(min=1)
