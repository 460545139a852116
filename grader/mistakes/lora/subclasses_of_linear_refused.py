"""type(base) is compared with nn.Linear, so subclasses are refused.

A subclass of nn.Linear is an nn.Linear. isinstance says so.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if type(base) is not nn.Linear:
            raise TypeError(f"base must be an nn.Linear, got {type(base).__name__}")
        super().__init__(base, rank, alpha, dropout)
