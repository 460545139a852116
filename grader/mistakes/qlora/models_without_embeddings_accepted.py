"""A model without get_input_embeddings() is prepared without its hook.

Training would run, and adapters in checkpointed blocks would learn nothing, without a word. Raise a ValueError.
"""
# Shows in: refuses_a_model_without_input_embeddings


def prepare_for_training(model):
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    if not hasattr(model, "get_input_embeddings"):
        return model
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
