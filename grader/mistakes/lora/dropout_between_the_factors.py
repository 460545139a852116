"""Dropout is applied between A and B.

That drops whole rank-one parts of the update. The contract drops entries of the input: B A dropout(x).
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * F.linear(self.dropout(F.linear(x, self.lora_A)), self.lora_B)
