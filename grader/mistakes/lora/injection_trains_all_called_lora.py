"""Every parameter with "lora" in its name is made trainable.

A module of the model may be called lora_gate, and it belongs to the frozen base. Only lora_A and lora_B train: compare the last
name part as a whole.
"""
# Shows in: freezes_everything_else

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora" in name)
    return names
