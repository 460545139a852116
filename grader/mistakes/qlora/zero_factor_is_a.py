"""A is zero and B is random.

The update starts at zero this way, too, but the contract and PEFT have it the other way round: A random, B zero.
"""
# Shows in: starts_as_its_base


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.zeros_(self.lora_A)
        nn.init.kaiming_uniform_(self.lora_B, a=math.sqrt(5))
