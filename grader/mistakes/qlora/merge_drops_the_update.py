"""The merged layer holds the dequantised weight alone.

Then the adapter is thrown away. Add delta_weight().
"""
# Shows in: weight_is_the_dequantised_one_plus_the_update
# Leaves out: the update


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight())
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
