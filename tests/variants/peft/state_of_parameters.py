"""The state holds the parameters themselves, and loading is rehearsed on a copy of the model."""

from collections import OrderedDict
from copy import deepcopy


def adapter_state_dict(model):
    return OrderedDict((name, p) for name, p in sorted(model.named_parameters()) if p.requires_grad)


def load_adapter(model, state):
    own = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if own - set(state):
        raise ValueError(f"state lacks {sorted(own - set(state))}")
    if set(state) - own:
        raise ValueError(f"state has {sorted(set(state) - own)}, which do not train here")
    try:
        deepcopy(model).load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ValueError(f"state does not fit: {error}") from error
    model.load_state_dict(state, strict=False)


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"trainable={trainable}, but total={total}")
    sizes = {"weights": 1.0 * total * weight_bytes}
    sizes["gradients"] = 1.0 * trainable * grad_bytes
    sizes["optimizer"] = 1.0 * trainable * optimizer_bytes
    sizes["total"] = sum(sizes.values())
    sizes["gigabytes"] = sizes["total"] / 1e9
    return sizes
