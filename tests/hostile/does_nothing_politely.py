"""Every stub returns what it was given, or nothing."""

# on: blank
# costs: everything
# says: .

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()


def nothing(self):
    return None


LoRALinear.delta_weight = LoRALinear.merge = LoRALinear.unmerge = nothing
LoRALinear.forward = lambda self, x: x


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    return []


def lora_state_dict(model):
    return {}


def load_lora_state_dict(model, state):
    return None


def merge_lora(model):
    return model
