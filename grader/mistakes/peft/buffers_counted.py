"""Buffers are counted as parameters.

The running statistics of a norm are buffers, which no optimizer trains. Count parameters() alone.
"""
# Shows in: counts_nothing_that_is_no_parameter


def count_parameters(model):
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    every = [*model.parameters(), *model.buffers()]
    return ParameterCount(trained, sum(tensor.numel() for tensor in every))
