"""merge() adds B A without the scaling.

The merged weight is the dequantised one plus (alpha / rank) · B A. Use delta_weight(), so that the formula has one
home.
"""
# Shows in: weight_is_the_dequantised_one_plus_the_update


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight() + self.lora_B @ self.lora_A)
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
