"""A is used through .data or .detach(), so it gets no gradient.

Only B learns then. Use the parameter itself in forward.
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        low_rank = F.linear(self.dropout(x), self.lora_A.detach())
        return self.base(x) + self.scaling * F.linear(low_rank, self.lora_B)
