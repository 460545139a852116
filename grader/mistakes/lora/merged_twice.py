"""A second merge() adds the update a second time.

merged is set but not asked. Do nothing if the layer is merged already.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def merge(self):
        self.base.weight += self.delta_weight()
        self.merged = True
