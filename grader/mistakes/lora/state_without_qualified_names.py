"""The tensors are saved under "lora_A" and "lora_B", without the names of their layers.

All layers then share two names, and each overwrites the one before. Use qualified names.
"""


def lora_state_dict(model):
    return {name.rpartition(".")[2]: factor.detach() for name, factor in _lora_parameters(model).items()}
