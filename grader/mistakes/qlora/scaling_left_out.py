"""The update is not multiplied by the scaling.

The formula is base(x) + (alpha / rank) · B A x. Without alpha / rank the learning rate must change with every rank.
"""
# Shows in: output_is_base_plus_scaled_update


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x).float(), self.lora_A)  # (..., rank)
        return self.base(x) + F.linear(low_rank, self.lora_B).to(x.dtype)
