"""A temperature of 0 or below is accepted.

It gives rows that are not numbers, or that prefer the least likely. Say at once which argument is wrong.
"""


def softmax(logits, *, temperature=1.0):
    return (logits / temperature).softmax(dim=-1)
