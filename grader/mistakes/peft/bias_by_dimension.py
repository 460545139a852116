"""Every parameter with one dimension counts as a bias.

The gain of a norm has one dimension, too, and a bias may be a matrix. Go by the name: its last part is bias.
"""
# Shows in: a_bias_is_known_by_its_last_name_part


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if parameters[name].dim() == 1]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
