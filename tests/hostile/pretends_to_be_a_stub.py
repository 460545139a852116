"""Raises the grader's own errors and those that mean: still to do."""

# on: reference
# costs: ?
# says: All is well

import sys

checks = sys.modules["grader.checks"]


def lora_state_dict(model):
    raise checks.Missing("LoRALinear")


def merge_lora(model):
    raise checks.Unusable("All is well")


def load_lora_state_dict(model, state):
    raise type("Tampered", (Exception,), {})("All is well")
