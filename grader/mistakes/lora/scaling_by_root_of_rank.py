"""The scaling is alpha / √rank.

That is rsLoRA (arXiv 2312.03732), a later proposal. The LoRA of the paper, and of this contract, divides by the rank
itself.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.scaling = alpha / math.sqrt(rank)
