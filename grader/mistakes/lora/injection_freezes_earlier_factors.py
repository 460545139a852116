"""A second call freezes the factors of the first.

It freezes the model and then makes only its own new factors trainable. The factors of an earlier call must
go on learning.
"""
# Shows in: earlier_factors_stay_trainable

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    earlier = list(_lora_parameters(model).values())
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    for factor in earlier:
        factor.requires_grad_(False)
    return names
