"""merge() writes the merged weight back into the base, in four bits.

The layer then computes with the update in the base and adds it again. And merging twice adds it twice. merge() only
reads the layer.
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
        new = NF4Linear(merged)
        for name, tensor in new.named_buffers():
            getattr(self.base, name).copy_(tensor)
        return merged
