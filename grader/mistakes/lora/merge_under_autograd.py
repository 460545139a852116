"""merge() changes the weight while autograd records.

The weight then carries a graph back to the factors: it is no leaf any more, and the next changes fail or leak
memory. Merge under torch.no_grad().
"""
# Shows in: merge_keeps_everything_else


class LoRALinear(LoRALinear):
    def merge(self):
        if not self.merged:
            self.base.weight += self.delta_weight()
            self.merged = True
