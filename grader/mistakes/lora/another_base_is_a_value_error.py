"""A base that is no nn.Linear ends in a ValueError.

The convention: an argument of the wrong type is a TypeError, a wrong value of the right type is a ValueError.
"""
# Shows in: refuses_bad_arguments


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if not isinstance(base, nn.Linear):
            raise ValueError(f"base must be an nn.Linear, got {type(base).__name__}")
        super().__init__(base, rank, alpha, dropout)
