"""A dropout of exactly 1 is accepted.

It drops every entry, so the update never learns, and the rescaling 1 / (1 - p) divides by zero. The range is
[0, 1), without the 1.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, 0.5 if dropout == 1 else dropout)
        self.dropout = nn.Dropout(dropout)
