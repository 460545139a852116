"""merged is a boolean buffer, so it moves with the model and is saved with it."""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        del self.merged
        self.register_buffer("merged", torch.zeros((), dtype=torch.bool, device=base.weight.device))

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.base.weight += self.delta_weight()
            self.merged.fill_(True)

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight -= self.delta_weight()
            self.merged.fill_(False)
