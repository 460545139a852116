"""merge() changes the weight but does not set merged.

Nobody can tell any more whether the update is in the weight, and forward adds it once more.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.delta_weight()
