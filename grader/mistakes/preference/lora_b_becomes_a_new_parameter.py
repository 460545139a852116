"""lora_B comes back as a new parameter.

An optimizer that was made before still holds the old one, so it trains a tensor that no layer uses any more.
Copy the numbers into the parameter that is there.
"""
# Shows in: adapters_are_as_before


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged = [layer for layer in layers if layer.merged]
    factors = [layer.lora_B.detach().clone() for layer in layers]
    try:
        for layer in merged:
            layer.unmerge()
        for layer in layers:
            layer.lora_B.data.zero_()
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer, kept in zip(layers, factors):
            layer.lora_B = nn.Parameter(kept, requires_grad=layer.lora_B.requires_grad)
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
