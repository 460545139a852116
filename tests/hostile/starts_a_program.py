"""Starts a program that leaves a file behind."""

# on: reference
# costs: saves_the_factors_alone
# says: PermissionError

import subprocess


def lora_state_dict(model):
    subprocess.run(["/usr/bin/touch", "CANARY/left"], check=True)
