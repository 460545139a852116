"""merged is kept on the class, so one merged layer makes all layers count as merged.

Write self.merged = True, which belongs to this layer alone. LoRALinear.merged and type(self).merged belong to all of them.
"""
# Shows in: merge_folds_the_update_in


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        del self.merged

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.delta_weight()
            LoRALinear.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.delta_weight()
            LoRALinear.merged = False


LoRALinear.merged = False
