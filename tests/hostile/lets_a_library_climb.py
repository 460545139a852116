"""Lets functions of the standard library and of torch give it the frames of its callers."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “climbed: \[\]”

import heapq
import inspect
import logging
import sys
import traceback

import torch


def lora_state_dict(model):
    ways = {
        "stack": inspect.stack,
        "currentframe": inspect.currentframe,
        "logging": logging.currentframe,
        "walk_stack": lambda: list(traceback.walk_stack(None)),
        "merged": lambda: list(heapq.merge(traceback.walk_stack(None), key=id)),
        "mapped": lambda: list(heapq.merge(map(sys._getframe, range(3)), key=id)),
        "torch": lambda: torch._jit_internal.createResolutionCallbackFromFrame(1)("calls"),
        "locals": lambda: traceback.StackSummary.extract(traceback.walk_stack(None), capture_locals=True),
    }
    climbed = []
    for name, way in ways.items():
        try:
            way()
            climbed.append(name)
        except PermissionError:
            pass
    raise OSError(f"climbed: {climbed}")
