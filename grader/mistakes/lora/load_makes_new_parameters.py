"""Loading puts new parameters in the place of the old ones.

An optimizer that was made before still holds the old ones, and trains what the model no longer uses. Copy into the parameters
that are there.
"""
# Shows in: loads_what_was_saved


def load_lora_state_dict(model, state):
    factors = _lora_parameters(model)
    wrong = [name for name in {**factors, **state} if name not in factors or name not in state]
    wrong += [name for name in factors if name in state and state[name].shape != factors[name].shape]
    if wrong:
        raise ValueError(f"missing, unexpected or misshapen: {', '.join(wrong)}")
    for name in factors:
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, nn.Parameter(state[name].detach().clone()))
