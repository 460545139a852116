"""The names of `also` stand behind the biases.

The contract returns the names in model order, so that two lists can be compared. Make one pass over
named_parameters().
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = biases + [name for name in parameters if name not in biases and any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
