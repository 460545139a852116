"""The factors are in bfloat16.

Steps of training are small, and bfloat16 keeps three digits: many steps are rounded away. The base is in four bits,
the factors in float32.
"""
# Shows in: only_float32_factors_train


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.lora_A = nn.Parameter(self.lora_A.detach().bfloat16())
        self.lora_B = nn.Parameter(self.lora_B.detach().bfloat16())

    def forward(self, x):
        low_rank = F.linear(self.dropout(x).float(), self.lora_A.float())  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B.float())).to(x.dtype)

    def delta_weight(self):
        return self.scaling * (self.lora_B.float() @ self.lora_A.float())
