"""The scaling is rank / alpha instead of alpha / rank.

Alpha multiplies the update and rank divides it. Turned round, a larger alpha makes the update smaller.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = rank / alpha
