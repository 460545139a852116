"""The hook is put on an attribute called embed_tokens.

The name differs from model to model, and another module may have it. get_input_embeddings() tells which one is meant.
"""
# Shows in: gradients_pass_checkpointed_blocks


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embeddings = getattr(model, "embed_tokens", model.get_input_embeddings())
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
