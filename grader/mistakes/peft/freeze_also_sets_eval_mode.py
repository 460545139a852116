"""freeze also puts the model into eval mode.

Freezing and the mode are two things. A frozen model may still be trained with dropout, which LoRA and
adapters do. Leave the mode alone.
"""


def freeze(model):
    return model.requires_grad_(False).eval()
