"""Announces a message, sends half of it and waits."""

# on: reference
# costs: saves_the_factors_alone
# says: ran out of time

import os
import time


def lora_state_dict(model):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\x00\x00\x40\x00" + b"x" * 100)
        except OSError:
            pass
    time.sleep(10**6)
