"""The logarithm is taken of a softmax.

The softmax of a large negative logit is rounded to 0, and its logarithm is minus infinity. log_softmax
subtracts the largest logit first.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    target = labels[:, 1:]
    scored = target != IGNORE_INDEX
    probabilities = torch.softmax(logits[:, :-1], dim=-1)
    right = probabilities.gather(-1, target.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -torch.log(right[scored]).sum() / scored.sum().clamp(min=1)
