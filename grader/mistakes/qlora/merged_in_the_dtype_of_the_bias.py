"""The merged layer is in the dtype of the old layer.

LoRA merges into the dtype of its base. Here the contract gives float32, since the update would be lost in half
precision.
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
            merged.bias.copy_(bias)
        return merged if bias is None else merged.to(bias.dtype)
