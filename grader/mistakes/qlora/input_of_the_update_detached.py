"""The input of the low-rank path is detached.

The factors learn, but the layers before get only the gradient through the base. Use x itself.
"""
# Shows in: gradients_reach_the_factors_and_x


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x.detach()).float(), self.lora_A)  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
