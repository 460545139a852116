"""The factors are converted to the dtype of x, and the update is computed in it.

With x in bfloat16 each product is rounded to three digits, and so are the gradients of the factors. Convert x to
float32 instead, and the update once, at the end.
"""
# Shows in: update_is_computed_in_float32


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x), self.lora_A.to(x.dtype))
        return self.base(x) + self.scaling * F.linear(low_rank, self.lora_B.to(x.dtype))
