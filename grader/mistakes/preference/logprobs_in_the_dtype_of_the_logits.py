"""The log-probabilities are computed in the dtype of the logits.

A bfloat16 has three digits, and DPO needs differences of sums of about -100. Make the logits float32 before
the logarithm.
"""
# Shows in: takes_logits_in_half_precision


def sequence_logprobs(logits, labels):
    logits, labels = logits[:, :-1], labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
