"""Buffers are counted as parameters.

state_dict() also holds the running statistics of norms, which no optimizer trains, and a shared tensor twice.
Use parameters().
"""
# Shows in: counts_nothing_that_is_no_parameter


def count_parameters(model):
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return ParameterCount(trained, sum(tensor.numel() for tensor in model.state_dict().values()))
