"""Log-probabilities by one-hot vectors, in float64 throughout."""


def sequence_logprobs(logits, labels):
    wanted = labels.roll(-1, dims=1)
    wanted[:, -1] = IGNORE_INDEX
    scored = (wanted != IGNORE_INDEX).double()
    target = F.one_hot(wanted.clamp(min=0), logits.shape[-1]).double()
    logits = logits.double()
    each = (logits * target).sum(dim=-1) - logits.logsumexp(dim=-1)
    return (each * scored).sum(dim=-1)
