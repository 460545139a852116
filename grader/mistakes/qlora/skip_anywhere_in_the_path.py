"""A layer is skipped if any part of its qualified name is in skip.

Then a container called lm_head protects all layers inside. Only the last name part counts.
"""
# Shows in: skips_by_the_last_name_part


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
        if layer not in kept and not any(part in skip for place in places for part in place.split("."))
    }
    if not layers:
        raise ValueError(
            f"model has no linear layer to quantise: skip={list(skip)}, and layers with LoRA or a tied weight stay"
        )
    for layer, places in layers.items():
        quantized = NF4Linear(layer)
        for place in places:
            _replace(model, place, quantized)
    return {
        "layers": [places[0] for places in layers.values()],
        "bytes_before": bytes_before,
        "bytes_after": _bytes(model),
    }
