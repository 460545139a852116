"""merge() adds the transposed update where the layer is square.

Code that tries both orders until the shapes fit is right by luck, and wrong on square layers. B A has the shape of
the weight.
"""
# Shows in: weight_is_the_dequantised_one_plus_the_update


class QLoRALinear(QLoRALinear):
    @torch.no_grad()
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias is not None, self.lora_A.device, torch.float32
        )
        delta = self.delta_weight().T
        weight = self.base.dequantized_weight()
        merged.weight.copy_(weight + (delta if delta.shape == weight.shape else delta.T))
        if bias is not None:
            merged.bias.copy_(bias)
        return merged
