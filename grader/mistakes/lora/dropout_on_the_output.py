"""Dropout is applied to the output of the update.

The contract and PEFT drop entries of the input: B A dropout(x), not dropout(B A x).
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + self.dropout(self.scaling * F.linear(F.linear(x, self.lora_A), self.lora_B))
