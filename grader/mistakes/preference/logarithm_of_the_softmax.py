"""The logarithm is taken of the softmax.

In float32 a probability below 1e-45 is zero, and its logarithm minus infinity. log_softmax never sees the
zero.
"""
# Shows in: large_logits_stay_finite


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.softmax(logits, dim=-1).log()
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
