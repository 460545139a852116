"""All factors are trainable afterwards, whatever they were before.

A factor that the caller has frozen would be trained from then on, and a part outside of the adapters no more.
torch.no_grad() is enough: leave requires_grad alone.
"""
# Shows in: adapters_are_as_before


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
        model.eval().requires_grad_(False)
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
        for layer in layers:
            layer.lora_A.requires_grad_(True)
            layer.lora_B.requires_grad_(True)
