"""merge() adds B A without the scaling.

The merged weight is W0 + (alpha / rank) · B A. Use delta_weight(), so that the formula has one home.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.lora_B @ self.lora_A
            self.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.lora_B @ self.lora_A
            self.merged = False
