"""Returns a tensor of 200 MB."""

# on: reference
# costs: saves_the_factors_alone
# says: at most 131,072 are allowed|MemoryError|ran out of time

import torch


def lora_state_dict(model):
    return {"blocks.0.q_proj.lora_A": torch.zeros(5 * 10**7)}
