"""delta_weight() returns the transpose.

It must have the shape of base.weight, (out, in): B A, not (B A)ᵀ. On a square layer nothing but the numbers
tells.
"""


class LoRALinear(LoRALinear):
    def delta_weight(self):
        return self.scaling * (self.lora_B @ self.lora_A).T

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.delta_weight().T
            self.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.delta_weight().T
            self.merged = False
