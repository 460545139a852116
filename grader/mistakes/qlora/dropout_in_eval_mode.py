"""Dropout acts in eval mode, too.

F.dropout drops unless it is told training=False. nn.Dropout knows the mode of the layer by itself.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.dropout = lambda x: F.dropout(x, dropout)
