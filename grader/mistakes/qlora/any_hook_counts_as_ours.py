"""No hook is added if the embeddings have one already.

It may be the hook of somebody else, a logger for example. Look for your own hook among them.
"""
# Shows in: second_call_adds_nothing


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embeddings = model.get_input_embeddings()
    if not embeddings._forward_hooks:
        embeddings.register_forward_hook(_ask_for_a_gradient)
    return model
