"""The bias of the base trains along with the factors.

The base is frozen as a whole. With a trained bias, taking the adapter away no longer gives the base model back.
"""
# Shows in: only_float32_factors_train


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        for parameter in base.parameters():
            parameter.requires_grad_(True)
