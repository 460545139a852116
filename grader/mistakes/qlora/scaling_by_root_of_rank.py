"""The scaling is alpha / √rank.

That is rsLoRA, another method. The contract divides by the rank itself.
"""
# Shows in: keeps_the_base_and_the_scaling


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = alpha / math.sqrt(rank)
