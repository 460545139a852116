"""The names in the state begin with base_model.model.

PEFT's files have this prefix, since PEFT wraps the model. Here nothing wraps it: the names are those of model.named_parameters().
"""
# Shows in: saves_the_factors_alone


def lora_state_dict(model):
    return {f"base_model.model.{name}": factor.detach() for name, factor in _lora_parameters(model).items()}
