"""A model without a LoRALinear is accepted.

It has nothing to switch off, so it would be its own reference, and no loss would tell of that. A ValueError
does.
"""
# Shows in: refuses_a_model_without_lora


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
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
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
