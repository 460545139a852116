"""A model without get_input_embeddings() ends in an AttributeError.

The contract raises a ValueError whose sentence names the model and what it lacks. Ask hasattr before the call.
"""
# Shows in: refuses_a_model_without_input_embeddings


def prepare_for_training(model):
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embeddings = model.get_input_embeddings()
    if _ask_for_a_gradient not in embeddings._forward_hooks.values():
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
