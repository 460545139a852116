"""The state holds the whole model.

The point of an adapter file is that it leaves the base out: a few megabytes instead of gigabytes. Keep lora_A
and lora_B only.
"""


def lora_state_dict(model):
    return dict(model.state_dict())
