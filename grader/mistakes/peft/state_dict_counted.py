"""The tensors of state_dict() are counted.

It holds buffers too, such as the running statistics of norms, and a shared tensor under each of its names. Use parameters().
"""
# Shows in: counts_nothing_that_is_no_parameter


def count_parameters(model):
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return ParameterCount(trained, sum(tensor.numel() for tensor in model.state_dict().values()))
