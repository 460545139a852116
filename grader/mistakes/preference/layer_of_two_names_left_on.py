"""Layers are replaced by their bases under their first names alone.

A layer that is used twice has two names, and named_modules() tells only one of them. Under the other one the
adapter is still on. Change the layer itself, or go through the children of every module.
"""


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, places = [layer for layer in layers if layer.merged], []
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            parent, _, attribute = name.rpartition(".")
            places.append((model.get_submodule(parent), attribute, module))
    try:
        for layer in merged:
            layer.unmerge()
        for parent, name, layer in places:
            setattr(parent, name, layer.base)
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for parent, name, layer in places:
            setattr(parent, name, layer)
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
