"""The strings of `also` are read as regular expressions.

Then the dot in layers.1 stands for any character, and layers_1 trains, too. The contract says: the name contains the string,
letter by letter.
"""

import re


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(re.search(part, name) for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
