"""Every parameter becomes float32, codes too.

Codes that are kept as integer parameters are then no codes any more, and take eight times the memory. Convert float16
and bfloat16 only.
"""
# Shows in: half_precision_becomes_float32


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        parameter.data = parameter.data.float()
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
