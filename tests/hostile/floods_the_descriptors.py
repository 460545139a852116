"""Writes 200 MB to the standard output and the error stream, past Python."""

# on: reference
# costs: nothing

import os


def flood(function):
    for descriptor in (1, 2):
        for _ in range(100):
            os.write(descriptor, bytes(2**20))
    return function


lora_state_dict = flood(lora_state_dict)
