"""The bound of A comes from out_features instead of in_features.

A is multiplied by x, which has in_features entries. U(-1/√in, 1/√in) keeps the size of A x about that of x.
"""
# Shows in: lora_a_is_kaiming_uniform


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        bound = 1 / math.sqrt(base.out_features)
        nn.init.uniform_(self.lora_A, -bound, bound)
