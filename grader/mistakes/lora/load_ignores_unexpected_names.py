"""A tensor of the state that has no place in the model is not noticed.

It belongs to a layer that was not wrapped, so part of the adapter is silently lost.
"""

_right_load_lora_state_dict = load_lora_state_dict


def load_lora_state_dict(model, state):
    own = _lora_parameters(model)
    _right_load_lora_state_dict(model, {name: tensor for name, tensor in state.items() if name in own})
