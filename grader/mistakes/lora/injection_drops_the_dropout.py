"""inject_lora does not pass dropout on to the layers.

The argument then has no effect, and nobody notices. Pass rank, alpha and dropout.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    return _right_inject_lora(model, target_modules, rank, alpha)
