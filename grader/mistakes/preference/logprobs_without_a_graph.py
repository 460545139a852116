"""The log-probabilities are computed without a graph.

The reference needs no gradient, but the policy learns through the same function. Let the caller decide, by
torch.no_grad().
"""
# Shows in: gradient_reaches_the_scored_positions


@torch.no_grad()
def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
