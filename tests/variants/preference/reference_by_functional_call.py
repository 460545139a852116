"""The model is called with other tensors in the place of lora_B and of merged weights, so nothing in it is changed but its mode."""

from torch.func import functional_call


def reference_logprobs(model, batch):
    layers = {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    if not layers:
        raise ValueError("model has no adapter (LoRALinear)")
    own = {module: module.training for module in model.modules()}
    with torch.no_grad():
        others = {f"{name}.lora_B": torch.zeros_like(layer.lora_B) for name, layer in layers.items()}
        others |= {
            f"{name}.base.weight": layer.base.weight - layer.delta_weight()
            for name, layer in layers.items()
            if layer.merged
        }
        try:
            model.eval()
            logits = functional_call(model, others, (batch["input_ids"], batch["attention_mask"]), tie_weights=False)
        finally:
            for module, mode in own.items():
                module.training = mode
        return sequence_logprobs(logits, batch["labels"]).clone()
