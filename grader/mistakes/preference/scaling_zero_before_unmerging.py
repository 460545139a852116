"""The scaling is set to zero before merged layers are unmerged.

unmerge() takes scaling · B A out of the weight. With a scaling of 0 it takes out nothing, so the update stays
in; and merge() at the end adds it a second time. Unmerge first.
"""
# Shows in: merged_layers_are_off_too


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    try:
        for layer in layers:
            layer.scaling = 0.0
        for layer in merged:
            layer.unmerge()
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
