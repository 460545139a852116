"""The sum W0 + delta is a module of its own, in the manner of torch.nn.utils.parametrize."""


class AddLowRank(nn.Module):
    def __init__(self, scaling):
        super().__init__()
        self.scaling = scaling

    def forward(self, weight, lora_A, lora_B):
        return torch.addmm(weight, lora_B, lora_A, alpha=self.scaling)


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.add_low_rank = AddLowRank(self.scaling)

    def forward(self, x):
        if self.merged:
            return self.base(x)
        if not self.training or self.dropout.p == 0:
            weight = self.add_low_rank(self.base.weight, self.lora_A, self.lora_B)
            return F.linear(x, weight, self.base.bias)
        nothing = torch.zeros_like(self.base.weight)
        return self.base(x) + F.linear(self.dropout(x), self.add_low_rank(nothing, self.lora_A, self.lora_B))
