"""A state that does not fit ends in a KeyError or a RuntimeError.

The contract asks for a ValueError that names the tensor. load_state_dict of PyTorch raises RuntimeError:
check first, or translate.
"""


def load_lora_state_dict(model, state):
    factors = _lora_parameters(model)
    if set(state) != set(factors):
        raise KeyError(sorted(set(state) ^ set(factors))[0])
    for name, factor in factors.items():
        if state[name].shape != factor.shape:
            raise RuntimeError(f"size mismatch for {name}")
    with torch.no_grad():
        for name, factor in factors.items():
            factor.copy_(state[name])
