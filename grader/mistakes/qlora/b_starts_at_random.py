"""B starts at random as well.

Then B A is not zero, and the new layer disturbs the model before the first step. With B = 0 it starts exactly at its
base.
"""
# Shows in: starts_as_its_base


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.kaiming_uniform_(self.lora_B, a=math.sqrt(5))
