"""unmerge() subtracts the update in a smaller number format than merge() has added it.

Each cycle leaves a rounding error in the pretrained weight, and they add up. Subtract the same numbers in the
dtype of the weight.
"""
# Shows in: no_drift_over_many_cycles


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.delta_weight().bfloat16()
            self.merged = False
