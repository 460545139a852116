"""The state holds the frozen tensors instead of the trainable ones.

Those are the base, which everybody has already. Save what requires a gradient.
"""


def adapter_state_dict(model):
    return {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
