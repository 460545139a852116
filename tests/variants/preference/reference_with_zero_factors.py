"""lora_B is zeroed in place and copied back; base weights come back to the last bit; the result is in float32."""


@torch.no_grad()
def reference_logprobs(model, batch):
    layers = {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    if not layers:
        raise ValueError("model needs one LoRALinear or more")
    training = [(module, module.training) for module in model.modules()]
    kept = [(layer, bool(layer.merged), layer.base.weight.clone(), layer.lora_B.clone()) for layer in layers.values()]
    try:
        for layer, *_ in kept:
            layer.unmerge()
            layer.lora_B.zero_()
        model.train(False)
        parts = [
            sequence_logprobs(model(ids[None], mask[None]), labels[None])
            for ids, mask, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"])
        ]
        return torch.cat(parts).float()
    finally:
        for layer, merged, weight, factor in kept:
            layer.lora_B.copy_(factor)
            if merged:
                layer.merge()
                layer.base.weight.copy_(weight)
        for module, mode in training:
            module.training = mode
