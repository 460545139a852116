"""forward computes x @ (B A) instead of x @ (B A)ᵀ.

nn.Linear stores its weight as (out, in) and computes x Wᵀ, and the update goes the same way. On a rectangular
layer the shapes do not fit; on a square one the numbers are silently wrong.
"""
# Shows in: output_is_base_plus_scaled_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + self.dropout(x) @ self.delta_weight()
