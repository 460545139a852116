"""`also` is looked for in the names of modules, not of parameters.

Then a string that reaches into the last part, such as proj.weight, finds nothing. Look in the whole name of the parameter.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name.rpartition(".")[0] for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
