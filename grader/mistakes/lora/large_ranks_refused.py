"""A rank above the sizes of the layer is refused.

It is wasteful but allowed: neither the contract nor the formula has an upper limit.
"""
# Shows in: refuses_bad_arguments


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        if rank > min(base.in_features, base.out_features):
            raise ValueError(f"rank must be at most {min(base.in_features, base.out_features)}, got {rank}")
