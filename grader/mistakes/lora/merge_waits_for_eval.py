"""merge() does nothing in train mode.

The mode says how dropout behaves. Whether the update is in the weight is what merge() and unmerge() say, in either mode.
"""
# Shows in: merge_folds_the_update_in


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def merge(self):
        if not self.merged and not self.training:
            self.base.weight += self.delta_weight()
            self.merged = True
