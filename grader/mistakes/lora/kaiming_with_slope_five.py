"""kaiming_uniform_ is called with a = 5 instead of a = √5.

The bound is √(6 / ((1 + a²) · in)). With a = √5 that is 1/√in; with a = 5 it is less than half of it.
"""
# Shows in: lora_a_is_kaiming_uniform


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.kaiming_uniform_(self.lora_A, a=5)
