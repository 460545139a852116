"""The state holds everything inside the LoRALinear layers, their base weights too.

Filter by the names lora_A and lora_B, not by the layer.
"""


def lora_state_dict(model):
    names = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    return {key: value for key, value in model.state_dict().items() if key.startswith(tuple(f"{n}." for n in names))}
