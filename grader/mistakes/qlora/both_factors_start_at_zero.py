"""Both factors start at zero.

Then each one blocks the gradient of the other, and nothing ever learns. A is random, B is zero.
"""
# Shows in: starts_as_its_base


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.zeros_(self.lora_A)
