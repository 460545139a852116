"""A small number is added to the probability before the logarithm.

It prevents the infinity, but bounds the loss: a token that the model holds for impossible costs 21 nats and
has no gradient. log_softmax is exact for all logits.
"""
# Shows in: large_logits_do_not_overflow


def sft_loss(logits, labels):
    target = labels[:, 1:]
    scored = target != IGNORE_INDEX
    probabilities = torch.softmax(logits.float()[:, :-1], dim=-1)
    right = probabilities.gather(-1, target.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -torch.log(right + 1e-9)[scored].sum() / scored.sum().clamp(min=1)
