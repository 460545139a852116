"""The new linear layers have no bias.

The bias belongs to the base and is not part of the update: it must come along.
"""
# Leaves out: the bias


def merge_lora(model):
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            module.merge()
            module.base.bias = None
            _replace(model, name, module.base)
    return model
