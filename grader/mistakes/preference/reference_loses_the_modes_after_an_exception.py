"""The model stays in eval mode if it raises an exception while the reference is asked.

The adapters come back in the `finally` part, the modes after it, which an exception never reaches. A training
that catches the error goes on without dropout. Put both back in `finally`.
"""
# Shows in: all_is_as_before_after_an_exception


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    for layer in merged:
        layer.unmerge()
    for layer in layers:
        layer.scaling = 0.0
    model.eval()
    try:
        with torch.no_grad():
            result = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for layer in merged:
            layer.merge()
    for module, mode in modes.items():
        module.training = mode
    return result
