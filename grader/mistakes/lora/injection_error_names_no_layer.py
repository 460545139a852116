"""The ValueError does not say which linear layers there are.

Whoever has misspelt a target wants to see the right names. List the linear layers in the message.
"""
# Shows in: refuses_targets_that_match_nothing

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    try:
        return _right_inject_lora(model, target_modules, rank, alpha, dropout)
    except ValueError as error:
        if "no linear layer" in str(error):
            raise ValueError("target_modules: no match") from None
        raise
