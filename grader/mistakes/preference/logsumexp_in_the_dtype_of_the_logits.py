"""The logsumexp is computed in the dtype of the logits.

In bfloat16 it has three digits, and so has each log-probability, which is a small difference of large
numbers. Make the logits float32 first.
"""
# Shows in: takes_logits_in_half_precision


def sequence_logprobs(logits, labels):
    logits, labels = logits[:, :-1], labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = logits - logits.logsumexp(dim=-1, keepdim=True)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
