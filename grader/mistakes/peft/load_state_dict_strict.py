"""load_state_dict(strict=True) is used on the state of the adapter.

For it the whole frozen model is missing, so it refuses every adapter, with a RuntimeError. Compare with the trainable names.
"""


def load_adapter(model, state):
    model.load_state_dict(state)
