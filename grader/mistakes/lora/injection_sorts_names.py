"""The names come back in alphabetical order.

The contract asks for model order: the order in which named_modules() walks.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    return sorted(_right_inject_lora(model, target_modules, rank, alpha, dropout))
