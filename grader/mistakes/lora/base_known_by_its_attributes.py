"""A base is accepted if it has weight, in_features and out_features.

Modules of other kinds have them too, and compute something else. Ask isinstance(base, nn.Linear).
"""
# Shows in: refuses_bad_arguments


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if not all(hasattr(base, name) for name in ("weight", "in_features", "out_features")):
            raise TypeError(f"base must be a linear layer, got {type(base).__name__}")
        like = base if isinstance(base, nn.Linear) else nn.Linear(base.in_features, base.out_features).to(base.weight)
        super().__init__(like, rank, alpha, dropout)
        self.base = base
