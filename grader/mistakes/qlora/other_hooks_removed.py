"""Hooks that were there before are thrown away.

They belong to somebody else. Only your own hook must not be there twice.
"""
# Shows in: second_call_adds_nothing


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embeddings = model.get_input_embeddings()
    embeddings._forward_hooks.clear()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
