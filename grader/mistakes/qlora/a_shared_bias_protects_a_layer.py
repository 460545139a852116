"""A layer is left alone if any parameter of it is shared.

Only the weight is quantised, so only its tie would be broken. A shared bias is no reason to keep the weight in float.
"""
# Shows in: leaves_tied_weights_alone


def _tied(model):
    owners: dict[torch.Tensor, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in {
            id(parameter): parameter for parameter in module._parameters.values() if parameter is not None
        }.values():
            owners.setdefault(parameter, []).append(module)
    return {m for owner in owners.values() if len(owner) > 1 for m in owner}
