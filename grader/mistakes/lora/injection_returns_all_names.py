"""inject_lora returns every wrapped layer, those of earlier calls too.

The contract asks for the layers wrapped by this call.
"""
# Shows in: earlier_factors_stay_trainable

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    _right_inject_lora(model, target_modules, rank, alpha, dropout)
    return [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
