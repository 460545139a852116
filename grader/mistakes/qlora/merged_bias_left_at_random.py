"""The merged layer keeps the random bias of the new nn.Linear.

A new layer draws its own bias. Copy that of the base into it.
"""
# Shows in: merged_layer_answers_the_same


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        return merged
