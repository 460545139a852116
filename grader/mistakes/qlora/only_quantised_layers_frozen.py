"""Only parameters that become float32 are frozen.

A model holds others: layers in float32 that were skipped, or norms that were in float32 already. Freeze every
parameter.
"""
# Shows in: nothing_trains_before_adapters_come


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(False)
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
