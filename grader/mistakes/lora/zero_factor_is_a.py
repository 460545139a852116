"""A starts at zero and B at random: the wrong way round.

The layer also starts as a no-op and it learns, but the contract, the paper and the libraries draw A and zero
B. (For embeddings PEFT does it the other way.)
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.zeros_(self.lora_A)
        nn.init.kaiming_uniform_(self.lora_B, a=math.sqrt(5))
