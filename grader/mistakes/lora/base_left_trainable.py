"""The base still requires gradients.

Then an optimizer over all parameters fine-tunes the whole layer, and nothing of LoRA's saving is left. Freeze
weight and bias by requires_grad_(False).
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        base.requires_grad_(True)
