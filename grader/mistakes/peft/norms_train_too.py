"""The gains of the norms train, too.

Some recipes tune norms as well, but BitFit trains the biases alone: what has `bias` as its last name part. A gain is named weight.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [
        name for name in parameters if "norm" in name.lower() or name in biases or any(part in name for part in also)
    ]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
