"""The constructor sets the global random seed.

All layers then start with the same A, and whoever drew random numbers before draws them again. Seeds are set by the
caller.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        torch.manual_seed(0)
        super().__init__(base, rank, alpha, dropout)
