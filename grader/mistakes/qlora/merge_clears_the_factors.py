"""merge() sets B to zero.

Then the update is out of the layer, although merge() is to leave it as it is: somebody may go on training, or merge a
second time.
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
            merged.bias.copy_(bias)
        self.lora_B.zero_()
        return merged
