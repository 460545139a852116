"""The log-probabilities are divided by the number of all positions.

Then more padding makes an answer look more probable. The log-probability of an answer is a sum, divided by
nothing.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).mean(dim=1)
