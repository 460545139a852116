"""Biases that were frozen before stay frozen.

Freezing what is no bias is not enough if the model comes frozen. Set requires_grad to True for the biases.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    for name, parameter in parameters.items():
        if name not in trained:
            parameter.requires_grad_(False)
    return trained
