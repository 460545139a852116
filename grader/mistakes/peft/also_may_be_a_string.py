"""A string is accepted as `also`, and each of its letters matches by itself.

`for part in "head"` goes through h, e, a, d, and nearly every name has an e: the whole model trains. Raise a TypeError.
"""


def apply_bitfit(model, also=()):
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
