"""Only the direct children of the model are merged.

Layers inside blocks keep their wrappers. Walk with named_modules().
"""


def merge_lora(model):
    for name, module in list(model.named_children()):
        if isinstance(module, LoRALinear):
            module.merge()
            setattr(model, name, module.base)
    return model
