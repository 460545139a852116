"""The biases are set to zero before they are trained.

They are pretrained, and the model needs them as they are. Fine-tuning starts where pretraining has ended.
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
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
        if name in biases:
            nn.init.zeros_(parameters[name])
    return trained
