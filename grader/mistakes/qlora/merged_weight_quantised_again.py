"""The merged weight is quantised again.

Four bits cannot hold the update: it is finer than the steps between levels, and most of it is rounded away. The
merged layer is in float32.
"""
# Shows in: weight_is_the_dequantised_one_plus_the_update


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        merged.weight.copy_(dequantize_nf4(quantize_nf4(merged.weight)))
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
