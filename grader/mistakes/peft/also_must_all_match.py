"""A name must contain all the strings of `also`.

The contract says: one of them. Each string names another part of the model, so use any(), not all().
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or (also and all(part in name for part in also))]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
