"""What was trainable before stays trainable.

Only the biases are thawed, and nothing is frozen, so this is full fine-tuning. Freeze the model first.
"""
# Shows in: earlier_freezing_plays_no_role


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also must be a list of strings")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError("model has no bias to train")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained
