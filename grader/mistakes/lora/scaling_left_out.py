"""The update is added without its scaling.

The formula is base(x) + (alpha / rank) · B A x. Without the factor, alpha does nothing.
"""
# Shows in: output_is_base_plus_scaled_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + F.linear(F.linear(self.dropout(x), self.lora_A), self.lora_B)
