"""The update is added to layers that are merged already.

They then hold it twice. merge() asks the flag; a sum by hand must do the same.
"""


def merge_lora(model):
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            with torch.no_grad():
                module.base.weight += module.delta_weight()
            _replace(model, name, module.base)
    return model
