"""Lets C code of Python and torch recurse until its stack ends."""

# on: reference
# costs: saves_the_factors_alone
# says: ended its process|RecursionError|MemoryError|ran out of time

import torch


def lora_state_dict(model):
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(10**5):
        y = y + 1
    deep = []
    for _ in range(10**6):
        deep = [deep]
    return {"a": deep, "b": repr(deep), "c": y}
