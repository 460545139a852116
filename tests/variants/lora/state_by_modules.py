"""The state is collected layer by layer, cloned, and loaded through load_state_dict."""


def lora_state_dict(model):
    state = {}
    for prefix, module in model.named_modules():
        if isinstance(module, LoRALinear):
            for factor in ("lora_A", "lora_B"):
                state[f"{prefix}.{factor}" if prefix else factor] = getattr(module, factor).data.clone()
    return state


def load_lora_state_dict(model, state):
    own = lora_state_dict(model)
    for name in sorted(set(own) | set(state)):
        if name not in own or name not in state:
            raise ValueError(f"{name!r} is in the {'state' if name in state else 'model'} only")
        if own[name].shape != state[name].shape:
            raise ValueError(f"{name!r}: got {state[name].shape}, allowed is {own[name].shape}")
    model.load_state_dict(state, strict=False)
