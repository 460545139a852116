"""The tensors are saved in float16, to make the file smaller.

The adapter is then not the one that was trained. The tensors of the state have the dtype of the model's.
"""
# Shows in: saves_the_factors_alone


def lora_state_dict(model):
    return {name: factor.detach().half() for name, factor in _lora_parameters(model).items()}
