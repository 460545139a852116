"""The probabilities of the tokens are added up, not their logarithms.

The probability of an answer is a product. Its logarithm is the sum of the logarithms.
"""


def sequence_logprobs(logits, labels):
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1)
