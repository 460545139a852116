"""The merged weight is a plain tensor that carries a graph.

Optimizers and state dicts do not find it, and its gradient flows into the factors. Copy the sum into the parameter,
under no_grad.
"""
# Shows in: merging_leaves_the_layer_as_it_is


class QLoRALinear(QLoRALinear):
    def merge(self):
        bias = self.base.bias
        merged = nn.Linear(self.base.in_features, self.base.out_features, bias is not None)
        del merged.weight
        merged.weight = self.base.dequantized_weight() + self.delta_weight()
        if bias is not None:
            merged.bias.data = bias.detach().float().clone()
        return merged
