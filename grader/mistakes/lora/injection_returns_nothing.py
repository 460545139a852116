"""inject_lora does its work but returns None.

The caller needs the names: they say what was adapted, and an empty list says that nothing new was.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    _right_inject_lora(model, target_modules, rank, alpha, dropout)
