"""Layers that are merged already keep their wrappers.

merged tells that the weight holds the update. The wrapper must go all the same.
"""
# Shows in: accepts_layers_that_are_merged


def merge_lora(model):
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear) and not module.merged:
            module.merge()
            _replace(model, name, module.base)
    return model
