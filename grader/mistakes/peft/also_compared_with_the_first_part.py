"""`also` is compared with the first part of the name.

A piece such as 1.o_proj is then missed. The contract says: the name contains one of the strings, wherever.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or name.split(".")[0] in also]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
