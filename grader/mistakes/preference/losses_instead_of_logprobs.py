"""The result is the cross-entropy, which is minus the log-probability.

cross_entropy is a loss: it is positive, and falls as the answer gets more probable. Put a minus in front of
it.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return -chosen.masked_fill(~scored, 0.0).sum(dim=1)
