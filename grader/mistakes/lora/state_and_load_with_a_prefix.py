"""Saving and loading both put base_model.model. before the names.

They agree with each other, but with no other code: PEFT has the prefix because it wraps the model. Here nothing wraps it.
"""
# Shows in: saves_the_factors_alone

_right_load_lora_state_dict = load_lora_state_dict
PREFIX = "base_model.model."


def lora_state_dict(model):
    return {PREFIX + name: factor.detach() for name, factor in _lora_parameters(model).items()}


def load_lora_state_dict(model, state):
    for name in _lora_parameters(model):
        if PREFIX + name not in state:
            raise ValueError(f"missing {PREFIX}{name}")
    _right_load_lora_state_dict(model, {name.removeprefix(PREFIX): tensor for name, tensor in state.items()})
