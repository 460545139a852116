"""Layers that are merged stay merged while the reference is asked.

A merged layer has its update in base.weight, so it answers like the policy, whatever its scaling is. Unmerge
such layers first, and merge them again at the end.
"""
# Shows in: merged_layers_are_off_too


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    try:
        for layer in layers:
            layer.scaling = 0.0
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for module, mode in modes.items():
            module.training = mode
