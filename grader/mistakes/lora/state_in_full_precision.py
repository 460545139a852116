"""The tensors are saved in float32, whatever the model is.

A file of a bfloat16 model then is twice as large as it must be, and a float64 one loses digits. Keep the dtype.
"""
# Shows in: saves_the_factors_alone


def lora_state_dict(model):
    return {name: factor.detach().float() for name, factor in _lora_parameters(model).items()}
