"""The weight of the embeddings is made trainable, so that their output requires a gradient.

Blocks pass gradients on then, but the largest table of the model gets a gradient and is trained along. A hook on the
output costs nothing.
"""
# Shows in: gradients_pass_checkpointed_blocks


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    embeddings = model.get_input_embeddings()
    embeddings.requires_grad_(True)
    return model
