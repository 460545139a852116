"""Returns a tensor of 200 MB."""

# on: reference
# costs: saves_the_factors_alone
# says: more than a message to the grader can hold|MemoryError|can't allocate memory|ran out of time

import torch


def lora_state_dict(model):
    huge = torch.zeros(5 * 10**7)
    return {name: huge for name, _ in model.named_parameters() if "lora_" in name}
