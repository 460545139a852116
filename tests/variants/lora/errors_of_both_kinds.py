"""One class of errors that is a TypeError and a ValueError. Layers are named by their last name part."""

_right_inject_lora = inject_lora


class BadArgument(TypeError, ValueError):
    pass


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        try:
            super().__init__(base, rank, alpha, dropout)
        except (TypeError, ValueError) as error:
            raise BadArgument(*error.args) from error


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise BadArgument(f"target_modules: {target_modules!r} is a string, a list is needed")
    linear = {name.split(".")[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    wrapped = {name.split(".")[-1] for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    if not set(target_modules) & (linear | wrapped):
        raise BadArgument("target_modules: choose among " + ", ".join(sorted(linear | wrapped)))
    return _right_inject_lora(model, target_modules, rank, alpha, dropout)
