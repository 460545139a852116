"""The factors take the dtype of the bias.

LoRALinear takes that of base.weight, and here only the bias is left to ask. But the factors of QLoRA are in float32,
whatever the base came in.
"""
# Shows in: only_float32_factors_train


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        if base.bias is not None:
            self.lora_A = nn.Parameter(self.lora_A.detach().to(base.bias.dtype))
            self.lora_B = nn.Parameter(self.lora_B.detach().to(base.bias.dtype))

    def forward(self, x):
        low_rank = F.linear(self.dropout(x).to(self.lora_A.dtype), self.lora_A)  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
