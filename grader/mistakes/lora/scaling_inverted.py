"""The scaling is rank / alpha instead of alpha / rank.

Alpha multiplies the update, rank divides it: a larger rank sums more terms, and the division keeps their sum
at the same size.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = rank / alpha
