"""Capital and small letters are taken as the same in `also`.

Names in Python differ by case: Head and head are two modules. Look for the string as it is.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part.lower() in name.lower() for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
