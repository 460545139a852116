"""B is used through .data or .detach(), so it gets no gradient.

B is zero at the start and stays zero, so the gradient of A stays zero too: nothing ever learns.
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        low_rank = F.linear(self.dropout(x), self.lora_A)
        return self.base(x) + self.scaling * F.linear(low_rank, self.lora_B.detach())
