"""Layers are merged again while their scaling is still zero.

merge() then adds nothing, yet the layer says that it is merged: its update is lost, and a later unmerge() takes
out what was never added. Give the scaling back first.
"""
# Shows in: merged_layers_are_off_too


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    try:
        for layer in merged:
            layer.unmerge()
        for layer in layers:
            layer.scaling = 0.0
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer in merged:
            layer.merge()
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for module, mode in modes.items():
            module.training = mode
