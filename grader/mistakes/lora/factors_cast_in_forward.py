"""The factors are kept in float32, whatever the base is, and cast in forward.

The output is right, but the contract wants the factors in the dtype of base.weight. (To keep them in float32 is a good idea of
mixed precision; PEFT has an option for it.)
"""
# Shows in: factors_follow_the_dtype


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.lora_A = nn.Parameter(self.lora_A.detach().float())
        self.lora_B = nn.Parameter(self.lora_B.detach().float())

    def forward(self, x):
        if self.merged:
            return self.base(x)
        update = F.linear(F.linear(self.dropout(x), self.lora_A.to(x.dtype)), self.lora_B.to(x.dtype))
        return self.base(x) + self.scaling * update
