"""The scaling is applied twice, once to each factor or once to the delta and once again to the output.

The update is then (alpha / rank)² · B A x.
"""
# Shows in: output_is_base_plus_scaled_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        low_rank = self.scaling * F.linear(self.dropout(x), self.lora_A)
        return self.base(x) + self.scaling * F.linear(low_rank, self.lora_B)
