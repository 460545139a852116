"""Where no label is scored, a new tensor of zeros is returned.

A new tensor has no graph, so backward() raises an error. A masked sum is zero by itself and keeps the graph.
"""
# Shows in: nothing_scored_gives_zero_with_a_graph


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    if not scored.any():
        return torch.zeros(len(labels))
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
