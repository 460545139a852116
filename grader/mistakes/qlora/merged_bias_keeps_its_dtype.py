"""The merged bias stays in the dtype of the old layer.

With a weight in float32 and a bias in bfloat16 the layer fails at its first call. Both are in float32.
"""
# Shows in: merges_in_float32


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        if bias is not None:
            merged.bias = nn.Parameter(bias.detach().clone())
        return merged
