"""`also` is ignored.

A new classification head then stays at its random start, and only its bias learns. Train what `also` names.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
