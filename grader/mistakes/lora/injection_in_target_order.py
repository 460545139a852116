"""The names come back in the order of target_modules.

The contract asks for model order, which does not depend on how the caller lists the targets.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    return sorted(names, key=lambda name: list(target_modules).index(name.rpartition(".")[2]))
