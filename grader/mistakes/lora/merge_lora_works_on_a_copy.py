"""merge_lora merges a copy and leaves the model as it was.

The contract changes the model itself and returns it. A copy costs the memory of the whole model once more.
"""
# Shows in: leaves_plain_linear_layers

import copy

_right_merge_lora = merge_lora


def merge_lora(model):
    return _right_merge_lora(copy.deepcopy(model))
