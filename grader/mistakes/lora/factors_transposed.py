"""The factors are stored as (in, rank) and (rank, out).

x @ A @ B is the same mathematics, but the contract, the paper and PEFT store A as (rank, in) and B as
(out, rank), like the weight of nn.Linear. Checkpoints do not fit otherwise.
"""
# Shows in: factors_have_their_shapes


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.lora_A = nn.Parameter(self.lora_A.detach().T.contiguous())
        self.lora_B = nn.Parameter(self.lora_B.detach().T.contiguous())

    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * (self.dropout(x) @ self.lora_A @ self.lora_B)

    def delta_weight(self):
        return self.scaling * (self.lora_A @ self.lora_B).T
