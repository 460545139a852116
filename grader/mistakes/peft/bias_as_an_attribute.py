"""Only what is the attribute `bias` of a linear layer or of a norm trains.

A bias is known by its name, whatever kind of module holds it: your own layer, or a ParameterDict. Go through named_parameters().
"""
# Shows in: a_bias_is_known_by_its_last_name_part


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    kinds = (nn.Linear, nn.LayerNorm, nn.Conv1d, nn.BatchNorm1d)
    owners = [name for name, module in model.named_modules() if isinstance(module, kinds) and module.bias is not None]
    biases = [f"{name}.bias" if name else "bias" for name in owners]
    if not biases:
        raise ValueError("model has no bias to train")
    parameters = dict(model.named_parameters())
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
