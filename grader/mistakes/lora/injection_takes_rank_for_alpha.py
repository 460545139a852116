"""inject_lora passes the rank as alpha.

The scaling is then always 1, and the argument alpha has no effect.
"""
# Shows in: passes_the_arguments_on

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    return _right_inject_lora(model, target_modules, rank, rank, dropout)
