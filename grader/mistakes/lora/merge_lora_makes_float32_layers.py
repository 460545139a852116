"""The new linear layers are in float32, whatever the base was.

nn.Linear(in, out) takes the default dtype and the CPU. Take the base itself, or pass dtype and device of its weight.
"""
# Shows in: leaves_plain_linear_layers


def merge_lora(model):
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            module.merge()
            plain = nn.Linear(module.base.in_features, module.base.out_features, module.base.bias is not None)
            plain.load_state_dict(module.base.state_dict())
            _replace(model, name, plain)
    return model
