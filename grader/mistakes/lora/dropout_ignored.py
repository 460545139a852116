"""The argument dropout has no effect.

It is accepted, but forward does not use it: base(x) + scaling · B A dropout(x).
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.dropout = nn.Identity()
