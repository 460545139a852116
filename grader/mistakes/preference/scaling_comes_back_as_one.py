"""The scaling comes back as 1 in every layer.

The scaling is alpha / rank, and each layer may have another one. Note it before you change it, and give each
layer its own back.
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
            layer.scaling = 0.0
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer in layers:
            layer.scaling = 1.0
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
