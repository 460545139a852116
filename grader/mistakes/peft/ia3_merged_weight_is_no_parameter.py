"""The weight of the merged layer is no parameter, but a tensor with a graph.

parameters(), state_dict() and to() do not find it, and a backward pass goes on to ia3. Compute under no_grad
and copy into the parameters of a new nn.Linear.
"""
# Shows in: merged_layer_answers_the_same


class IA3Linear(IA3Linear):
    def merge(self):
        merged = nn.Linear(self.base.in_features, self.base.out_features, self.base.bias is not None)
        del merged.weight
        merged.weight = self.base.weight * self.ia3[:, None]
        if self.base.bias is not None:
            del merged.bias
            merged.bias = self.base.bias * self.ia3
        return merged
