"""The labels of the caller are overwritten: each -100 becomes 0.

labels[:, 1:] is a view, so what is written into it is written into the batch. A second call then scores the
prompt as token 0.
"""
# Shows in: takes_any_layout_and_changes_nothing


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    labels[~scored] = 0
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
