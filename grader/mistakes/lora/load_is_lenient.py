"""Missing and unexpected names are skipped, as with strict=False.

A renamed layer then keeps its random A and zero B, and the model answers like the base without a word.
"""


@torch.no_grad()
def load_lora_state_dict(model, state):
    for name, factor in _lora_parameters(model).items():
        if name in state:
            if state[name].shape != factor.shape:
                raise ValueError(f"{name} has shape {tuple(state[name].shape)}, not {tuple(factor.shape)}")
    for name, factor in _lora_parameters(model).items():
        if name in state:
            factor.copy_(state[name])
