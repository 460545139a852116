"""model.float() is called for the whole model.

It leaves integer codes alone, but it also takes half of the digits of parameters in float64. Convert float16 and
bfloat16 only.
"""
# Shows in: half_precision_becomes_float32


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    model.requires_grad_(False).float()
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
