"""Tensors are copied one by one, and the error comes in the middle.

The model is then half old, half new. Look for every problem before the first copy.
"""


@torch.no_grad()
def load_lora_state_dict(model, state):
    factors = _lora_parameters(model)
    for name, factor in factors.items():
        if name not in state:
            raise ValueError(f"missing {name}")
        if state[name].shape != factor.shape:
            raise ValueError(f"{name} has the wrong shape")
        factor.copy_(state[name])
    for name in state:
        if name not in factors:
            raise ValueError(f"unexpected {name}")
