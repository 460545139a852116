"""Waits without end."""

# on: reference
# costs: saves_the_factors_alone
# says: ran out of time

import time


def lora_state_dict(model):
    time.sleep(10**6)
