"""The merged layer uses the very bias of the base.

A change of one then changes the other, in training for example. Copy it.
"""
# Shows in: merging_leaves_the_layer_as_it_is


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())
        if bias is not None:
            merged.bias = bias
        return merged
