"""The wrapper is replaced by its base without merging.

That throws the adapter away and restores the pretrained model. Merge first.
"""
# Leaves out: the update


def merge_lora(model):
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            _replace(model, name, module.base)
    return model
