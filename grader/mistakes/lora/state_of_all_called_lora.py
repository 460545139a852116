"""The state holds every tensor with "lora" in its name.

A module of the model may be called lora_gate, and it belongs to the base. Compare the last name part with lora_A and lora_B as
a whole.
"""
# Shows in: saves_the_factors_alone


def lora_state_dict(model):
    return {name: parameter.detach() for name, parameter in model.named_parameters() if "lora" in name}
