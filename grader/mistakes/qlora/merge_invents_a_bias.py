"""The merged layer has a bias even if the base has none.

nn.Linear makes a random bias unless it is told bias=False. A base without bias gives a merged layer without bias.
"""
# Shows in: merged_layer_answers_the_same


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(self.base.in_features, self.base.out_features, True, self.lora_A.device, torch.float32)
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
