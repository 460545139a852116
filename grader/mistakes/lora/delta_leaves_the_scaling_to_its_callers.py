"""delta_weight() returns B A, and merge() multiplies it by the scaling.

Whoever else asks for the delta gets another matrix than the one that is added to W0. delta_weight() is the whole update:
(alpha / rank) · B A.
"""
# Shows in: delta_is_the_scaled_product


class LoRALinear(LoRALinear):
    def delta_weight(self):
        return self.lora_B @ self.lora_A

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.scaling * self.delta_weight()
            self.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.scaling * self.delta_weight()
            self.merged = False
