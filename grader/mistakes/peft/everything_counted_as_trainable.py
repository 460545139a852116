"""Frozen parameters are counted as trainable.

Then no method looks efficient. Count numel() of those that require a gradient.
"""
# Shows in: counts_nothing_that_is_no_parameter


def count_parameters(model):
    total = sum(p.numel() for p in model.parameters())
    return ParameterCount(total, total)
