"""The model is frozen after the layers were wrapped, and the factors with it.

Then nothing trains at all. Freeze first, then wrap, or make the factors trainable at the end.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    model.requires_grad_(False)
    return names
