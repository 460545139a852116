"""The parameters take over the memory of the loaded tensors.

parameter.data = state[name] copies nothing: training the model then changes the state that was loaded, and a second model that
loads the same state. Use copy_.
"""
# Shows in: loads_what_was_saved


def load_lora_state_dict(model, state):
    factors = _lora_parameters(model)
    wrong = [name for name in {**factors, **state} if name not in factors or name not in state]
    wrong += [name for name in factors if name in state and state[name].shape != factors[name].shape]
    if wrong:
        raise ValueError(f"missing, unexpected or misshapen: {', '.join(wrong)}")
    for name, factor in factors.items():
        factor.data = state[name]
