"""Recurses in C code until the stack is full."""

# on: reference
# costs: saves_the_factors_alone
# says: ended its process|RecursionError|MemoryError|ran out of time

import sys


def lora_state_dict(model):
    sys.setrecursionlimit(10**9)
    nested = []
    for _ in range(10**5):
        nested = [nested]
    return repr(nested)
