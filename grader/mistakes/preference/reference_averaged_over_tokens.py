"""The reference is a mean over the tokens of an answer, not a sum.

The log-probability of an answer is the sum over its tokens. A mean here and a sum for the policy make the log-
ratio grow with the length.
"""


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
        model.eval()
        with torch.no_grad():
            total = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
            return total / (batch["labels"][:, 1:] != IGNORE_INDEX).sum(dim=1)
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
