"""total counts the frozen parameters alone.

total is all of them, trainable ones included. Otherwise the share trainable / total comes out wrong, and
above 1 for a full fine-tuning.
"""


def count_parameters(model):
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return ParameterCount(trained, sum(p.numel() for p in model.parameters()) - trained)
