"""The weights train and the biases are frozen.

That is full fine-tuning but for a thousandth: the biases of RoBERTa-base are 0.08 % of its parameters. BitFit
trains the biases and freezes the rest.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    if not any(name.rpartition(".")[2] == "bias" for name, _ in model.named_parameters()):
        raise ValueError("model has no bias")
    trained = []
    for name, parameter in model.named_parameters():
        chosen = name.rpartition(".")[2] != "bias" or any(part in name for part in also)
        parameter.requires_grad_(chosen)
        trained += [name] if chosen else []
    return trained
