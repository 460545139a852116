"""merge() multiplies the update by the scaling once more.

delta_weight() holds the scaling already.
"""
# Shows in: weight_is_the_dequantised_one_plus_the_update


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight() + self.scaling * self.delta_weight())
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
