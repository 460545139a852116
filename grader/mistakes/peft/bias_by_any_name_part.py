"""Every parameter with bias as any part of its name counts as a bias, not only as the last part.

A module may be called bias, and then bias.weight is a weight. Compare the last part: name.rpartition('.')[2].
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if "bias" in name.split(".")]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
