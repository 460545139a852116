"""The argument dropout has no effect.

It is accepted, but forward does not use it: base(x) + scaling · B A dropout(x).
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.dropout = nn.Identity()
