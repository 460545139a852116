"""A tensor that the state lacks is not noticed.

That layer keeps what it had: a random A and a zero B, or another adapter's numbers. Every factor of the model
must be in the state.
"""

_right_load_lora_state_dict = load_lora_state_dict


def load_lora_state_dict(model, state):
    own = {name: factor.detach() for name, factor in _lora_parameters(model).items()}
    _right_load_lora_state_dict(model, {**own, **state})
