"""Parameters in half precision stay as they are.

Norms and heads are few numbers, and their rounding disturbs training. PEFT puts all of them in float32 before it adds
adapters.
"""
# Shows in: half_precision_becomes_float32


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    model.requires_grad_(False)
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
