"""x is multiplied by the factors as it is.

The factors are in float32, and F.linear refuses operands of two dtypes. Convert x by x.float().
"""
# Shows in: output_has_the_dtype_of_x


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x), self.lora_A)  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
