"""Nothing is put back if the model raises an exception.

An out-of-memory error in the middle leaves a model in eval mode and without its adapters, which looks untrained
from then on. Put everything back in the `finally` part.
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
    with torch.no_grad():
        result = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    for layer, scaling in zip(layers, scalings):
        layer.scaling = scaling
    for layer in merged:
        layer.merge()
    for module, mode in modes.items():
        module.training = mode
    return result
