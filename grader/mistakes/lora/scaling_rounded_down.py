"""The scaling is alpha // rank.

// rounds down to a whole number: alpha 6 with rank 4 gives 1 instead of 1.5, and an alpha below the rank gives 0. Divide with /.
"""
# Shows in: keeps_the_base_and_the_scaling


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = alpha // rank
