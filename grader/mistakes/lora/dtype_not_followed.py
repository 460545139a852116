"""The factors are made in float32, whatever the base is.

A model in bfloat16 or float64 then fails at its first call, or computes in mixed types. Take the dtype of
base.weight.
"""
# Shows in: factors_follow_the_dtype


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.lora_A = nn.Parameter(self.lora_A.detach().float())
        self.lora_B = nn.Parameter(self.lora_B.detach().float())
