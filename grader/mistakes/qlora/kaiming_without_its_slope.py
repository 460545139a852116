"""A is drawn by kaiming_uniform_ with its default slope of 0.

The bound is √(6/in) then, √6 times too wide. With a = √5 it is 1/√in, as nn.Linear draws its own weight.
"""
# Shows in: lora_a_is_kaiming_uniform


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.kaiming_uniform_(self.lora_A)
