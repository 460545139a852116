"""Layers that are wrapped already do not count as a match, so naming them again is an error.

They are what the targets mean; there is just nothing to do. Only a target that matches nothing at all is a ValueError.
"""
# Shows in: second_call_wraps_nothing_twice

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    named = list(model.named_modules())
    wrapped = [name for name, module in named if isinstance(module, LoRALinear)]
    free = [n for n, m in named if isinstance(m, nn.Linear) and n.rpartition(".")[0] not in wrapped]
    if not isinstance(target_modules, str) and not any(n.rpartition(".")[2] in target_modules for n in free):
        raise ValueError(f"no linear layer matches {target_modules}; there are {', '.join(free)}")
    return _right_inject_lora(model, target_modules, rank, alpha, dropout)
