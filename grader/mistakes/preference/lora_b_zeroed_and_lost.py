"""lora_B is set to zero, and its numbers are never put back.

The first question to the reference erases what was learned. Keep `lora_B.detach().clone()`, not `lora_B.data`,
which is zeroed as well, and copy it back in the `finally` part. Or let the factors alone.
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
            nn.init.zeros_(layer.lora_B)
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
