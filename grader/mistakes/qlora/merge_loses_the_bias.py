"""The merged layer has no bias.

Only weight and update are added; the bias of the base is copied as it is.
"""
# Shows in: merged_layer_answers_the_same
# Leaves out: the bias


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(self.base.in_features, self.base.out_features, False, self.lora_A.device, torch.float32)
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        return merged
