"""The product A x is rounded to the dtype of x before B is applied.

The update is computed in float32 from x to the end, and rounded once, when it is added.
"""
# Shows in: update_is_computed_in_float32


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x).float(), self.lora_A).to(x.dtype).float()
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
