"""unmerge() adds the update instead of taking it out.

After merge() and unmerge() the weight then holds it twice. merge() adds, unmerge() subtracts the same numbers.
"""
# Shows in: unmerge_takes_the_update_out


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight += self.delta_weight()
            self.merged = False
