"""Sends messages with the right secret whose fields are of the wrong types."""

# on: reference
# costs: saves_the_factors_alone
# says: may not look at its callers

import os
import sys


def channel():
    """The grader's own channel, found in the frames of the callers."""
    frame = sys._getframe()
    while "channel" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["channel"]


def lora_state_dict(model):
    import json

    line = {"dict": [["cell", 1], ["line", float("inf")], ["text", None], ["function", []]]}
    error = {"dict": [["type", {"dict": []}], ["message", 3], ["lines", [line]], ["raised_by_learner", "no"]]}
    value = json.dumps({"dict": [["asked", 5], ["error", error]]})
    header = json.dumps({"__metadata__": {"value": value}}).encode()
    channel().send_bytes(len(header).to_bytes(8, "little") + header)
