"""The state is turned to float32.

A tensor in 16 bits becomes twice as large, and one in 64 bits loses half its digits. Save the tensors as they are.
"""


def adapter_state_dict(model):
    return {name: p.detach().float() for name, p in model.named_parameters() if p.requires_grad}
