"""Crashes in C code."""

# on: reference
# costs: saves_the_factors_alone
# says: may not use ctypes

import ctypes


def lora_state_dict(model):
    ctypes.string_at(0)
