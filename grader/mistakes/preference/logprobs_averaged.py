"""The log-probabilities of an answer's tokens are averaged, not added up.

The mean is the logarithm of a geometric mean, not that of the answer's probability. DPO's formula holds for
the sum; IPO takes the mean.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1) / scored.sum(dim=1).clamp(min=1)
