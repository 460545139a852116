"""The number of entries is compared instead of the shape, and the tensor is reshaped to fit.

A transposed factor has the right number of entries, all in the wrong places.
"""


@torch.no_grad()
def load_lora_state_dict(model, state):
    factors = _lora_parameters(model)
    wrong = [name for name in {**factors, **state} if name not in factors or name not in state]
    wrong += [name for name in factors if name not in wrong and state[name].numel() != factors[name].numel()]
    if wrong:
        raise ValueError(f"the state does not fit: {', '.join(wrong)}")
    for name, factor in factors.items():
        factor.copy_(state[name].reshape(factor.shape))
