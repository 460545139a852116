"""With `also`, only what it names trains, and the biases no longer.

It says what trains as well as the biases, not instead. Let both train.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if any(part in name for part in also)] if also else biases
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
