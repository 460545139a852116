"""unmerge() subtracts B A without the scaling.

It must take out exactly what merge() has put in: scaling · B A.
"""


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.lora_B @ self.lora_A
            self.merged = False
