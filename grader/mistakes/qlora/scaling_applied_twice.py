"""The update is multiplied by the scaling twice.

delta_weight() holds the scaling already. Multiply once, either there or in forward.
"""
# Shows in: output_is_base_plus_scaled_update


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        return self.base(x) + (self.scaling * F.linear(self.dropout(x).float(), self.delta_weight())).to(x.dtype)
