"""The scaling is alpha, not divided by the rank.

With the division by the rank, the best learning rate of Adam hardly depends on the rank. Without it, each change of the
rank calls for a new one.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = alpha
