"""The update is x B A instead of x (B A)ᵀ.

x is a row, so both factors are transposed, as F.linear does. On a square layer the mistake raises no error.
"""
# Shows in: output_is_base_plus_scaled_update


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        return self.base(x) + (self.dropout(x).float() @ self.delta_weight()).to(x.dtype)
