"""merge() sets the factors to zero.

Then unmerge() has nothing to subtract: the pretrained weight cannot be restored, and the adapter is lost.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.delta_weight()
            self.lora_B.zero_()
            self.merged = True
