"""A string is accepted as `also`, as if it were a list of one.

That is friendly, but the contract says TypeError: a caller who forgets the brackets learns it at once, and always.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        also = [also]
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
