"""The two counts are the wrong way round.

ParameterCount holds trainable first, then total. Name the fields when you make it, and the order cannot go
wrong.
"""


def count_parameters(model):
    total = sum(p.numel() for p in model.parameters())
    return ParameterCount(total, sum(p.numel() for p in model.parameters() if p.requires_grad))
