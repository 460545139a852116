"""The state holds every tensor that requires a gradient.

A head that is trained along gets in, and a model that is frozen for use saves nothing. Choose by the names lora_A and
lora_B.
"""


def lora_state_dict(model):
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
