"""Every name with the letters bias in it counts as a bias.

bias_gate.weight and unbias are caught, too. Compare the last part of the qualified name.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if "bias" in name]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
