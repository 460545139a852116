"""A second call that finds nothing new to wrap raises a ValueError.

The targets do match layers, which are wrapped already. Then the list of names is empty. Only a target that matches nothing at
all is an error.
"""
# Shows in: second_call_wraps_nothing_twice

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    if not names:
        raise ValueError(f"no layer matches target_modules={target_modules}")
    return names
