"""A model without bias is accepted if `also` matches something.

Training the head alone is linear probing, not BitFit. The contract raises a ValueError if there is no bias.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases and not also:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
