"""The logits at t are asked for the label at t.

At position t the model has read token t already. Position t predicts label t + 1: drop the last logits and
the first label.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits), labels
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
