"""The sum of weight and update is rounded to bfloat16.

The update is small beside the weight, so rounding the sum to three digits loses much of it. Add in float32 and keep
float32.
"""
# Shows in: weight_is_the_dequantised_one_plus_the_update


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_((self.base.dequantized_weight() + self.delta_weight()).bfloat16())
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
