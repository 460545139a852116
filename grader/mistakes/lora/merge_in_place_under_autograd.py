"""merge() adds to the weight in place while autograd records.

The weight then requires a gradient and carries a graph back to the factors. Merge under torch.no_grad().
"""
# Shows in: merge_keeps_everything_else


class LoRALinear(LoRALinear):
    def merge(self):
        if not self.merged:
            self.base.weight.add_(self.delta_weight())
            self.merged = True
