"""The scaling is alpha, not divided by the rank.

Then every change of the rank also changes the size of the update, and the learning rate must be found again.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = alpha
