"""unmerge() subtracts the update although it is not merged.

That takes something out of the pretrained weight that was never in it. Do nothing if the layer is not merged.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def unmerge(self):
        self.base.weight -= self.delta_weight()
        self.merged = False
