"""kaiming_uniform_ is called without a = √5.

Its default a = 0 gives the bound √(6/in), which is √6 times too wide. nn.Linear and LoRA libraries pass
a = √5, and the bound becomes 1/√in.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.kaiming_uniform_(self.lora_A)
