"""The scaling is alpha, not alpha / rank.

alpha / rank keeps the size of the update when the rank changes. PEFT and the contract divide by the rank.
"""
# Shows in: keeps_the_base_and_the_scaling


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = alpha
