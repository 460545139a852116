"""The logits at t + 1 are asked for the label at t.

The shift goes the other way: position t predicts what comes after it. Drop the last logits and the first
label.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, 1:]), labels[:, :-1]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
