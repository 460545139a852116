"""A layer under two names becomes two quantised layers.

They take twice the memory, and are no longer one layer: an adapter at one place does not act at the other. Make one
NF4Linear and set it at both places.
"""
# Shows in: one_layer_under_two_names


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):  # "head" in "lm_head" would be true
        raise TypeError(f"skip must be a list of names, got the string {skip!r}")
    bytes_before = _bytes(model)
    names: dict[nn.Linear, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if name and isinstance(module, nn.Linear):
            names.setdefault(module, []).append(name)
    kept = {module.base for module in model.modules() if isinstance(module, LoRALinear)} | _tied(model)
    layers = {
        layer: places
        for layer, places in names.items()
        if layer not in kept and not any(place.rpartition(".")[2] in skip for place in places)
    }
    if not layers:
        raise ValueError(
            f"model has no linear layer to quantise: skip={list(skip)}, and layers with LoRA or a tied weight stay"
        )
    for layer, places in layers.items():
        for place in places:
            _replace(model, place, NF4Linear(layer))
    return {
        "layers": [places[0] for places in layers.values()],
        "bytes_before": bytes_before,
        "bytes_after": _bytes(model),
    }
