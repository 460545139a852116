"""The state is saved in 16 bits.

That halves the file, but what is loaded is no longer what was trained. Save the tensors as they are.
"""


def adapter_state_dict(model):
    return {name: p.detach().half() for name, p in model.named_parameters() if p.requires_grad}
