"""merge_lora does its work but returns None.

The contract returns the model, so that calls can be chained.
"""

_right_merge_lora = merge_lora


def merge_lora(model):
    _right_merge_lora(model)
