"""unmerge() restores the weight but leaves merged set.

forward then believes that the update is in the weight and leaves it out: the adapter has no effect.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.delta_weight()
