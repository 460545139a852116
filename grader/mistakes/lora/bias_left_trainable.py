"""The weight of the base is frozen, but its bias is not.

The contract freezes the whole base. With a trained bias, taking the adapter away no longer gives the base
model back.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        if base.bias is not None:
            base.bias.requires_grad_(True)
