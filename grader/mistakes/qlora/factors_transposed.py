"""lora_A is (in, rank) and lora_B is (rank, out).

The product comes out right, but checkpoints do not fit PEFT. lora_A is (rank, in_features), lora_B is (out_features,
rank), as nn.Linear stores its weight.
"""
# Shows in: only_float32_factors_train


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.lora_A = nn.Parameter(self.lora_A.detach().T.clone())
        self.lora_B = nn.Parameter(self.lora_B.detach().T.clone())

    def forward(self, x):
        update = self.dropout(x).float() @ self.lora_A @ self.lora_B
        return self.base(x) + (self.scaling * update).to(x.dtype)

    def delta_weight(self):
        return self.scaling * (self.lora_A @ self.lora_B).T
