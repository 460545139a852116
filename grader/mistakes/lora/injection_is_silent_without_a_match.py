"""If no layer matches, inject_lora returns an empty list.

A misspelt target then freezes the model and trains nothing, without a word. Raise a ValueError that lists the
linear layers.
"""
# Shows in: refuses_targets_that_match_nothing

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    try:
        return _right_inject_lora(model, target_modules, rank, alpha, dropout)
    except ValueError:
        model.requires_grad_(False)
        return []
