"""The state holds what has adapter, lora or prompt in its name.

Libraries do so, for they have chosen the names. Here any method may have left the model, so ask what trains: requires_grad.
"""


def adapter_state_dict(model):
    words = ("adapter", "lora", "prompt", "ia3", "bias")
    return {name: p.detach() for name, p in model.named_parameters() if any(word in name for word in words)}
