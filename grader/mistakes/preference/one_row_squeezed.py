"""A batch of one row gives a number, not a tensor of shape (1,).

squeeze() without a dimension removes every dimension of size one, the batch too. Name the dimension:
squeeze(2).
"""
# Shows in: takes_any_layout_and_changes_nothing


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1).squeeze()
