"""Every layer gets the scaling of the last one back.

Layers may have unlike ranks and alphas. One variable for the old scaling holds only the last of them. Note the
scaling of each layer.
"""
# Shows in: adapters_are_as_before


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged = [layer for layer in layers if layer.merged]
    try:
        for layer in merged:
            layer.unmerge()
        for layer in layers:
            scaling, layer.scaling = layer.scaling, 0.0
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer in layers:
            layer.scaling = scaling
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
