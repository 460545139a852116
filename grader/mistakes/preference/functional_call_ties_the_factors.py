"""functional_call leaves zeros in the factors of a layer that has two names.

With tie_weights=True, its default, functional_call replaces a tensor under all its names, and puts it back
under one of them too few. Pass tie_weights=False, or the tensors under all names.
"""


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged = [layer for layer in layers if layer.merged]
    try:
        for layer in merged:
            layer.unmerge()
        zeros = {
            f"{name}.lora_B": torch.zeros_like(module.lora_B)
            for name, module in model.named_modules()
            if isinstance(module, LoRALinear)
        }
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(
                torch.func.functional_call(model, zeros, (batch["input_ids"], batch["attention_mask"])), batch["labels"]
            )
    finally:
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
