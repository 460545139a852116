"""The sum runs over all rows.

Then the whole batch adds up to 1, not each row. Say over which dimension a sum runs, and keep that dimension.
"""


def softmax(logits, *, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    exponentials = (logits / temperature - (logits / temperature).max()).exp()
    return exponentials / exponentials.sum()
