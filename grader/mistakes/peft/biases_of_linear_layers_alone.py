"""Only the biases of nn.Linear layers are looked for.

Norms have biases, and so have layers of other kinds. BitFit trains every parameter whose last name part is bias.
"""


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    linear = [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module.bias is not None
    ]
    biases = [f"{name}.bias" if name else "bias" for name in linear]
    if not biases:
        raise ValueError("model has no bias to train")
    parameters = dict(model.named_parameters())
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
