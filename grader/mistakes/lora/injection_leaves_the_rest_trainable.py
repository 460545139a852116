"""Only the wrapped layers are frozen; embeddings, norms and the other layers still train.

The loss then falls because of them, and the adapter looks good for the wrong reason. Freeze the whole model
first.
"""

_right_inject_lora = inject_lora


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    trainable = [p for p in model.parameters() if p.requires_grad]
    before = {id(p) for p in trainable}
    names = _right_inject_lora(model, target_modules, rank, alpha, dropout)
    bases = {id(p) for m in model.modules() if isinstance(m, LoRALinear) for p in m.base.parameters()}
    for parameter in trainable:
        if id(parameter) in before - bases:
            parameter.requires_grad_(True)
    return names
