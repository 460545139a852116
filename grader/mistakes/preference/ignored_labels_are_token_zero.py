"""Labels of -100 are replaced by 0 and then scored like others.

gather needs an index that exists, so 0 stands in for -100. But what it gives there must not count: set it to
zero before the sum.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.sum(dim=1)
