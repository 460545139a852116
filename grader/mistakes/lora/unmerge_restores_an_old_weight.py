"""unmerge() puts back the weight of the time when the layer was made.

If the base was loaded or changed since then, that is lost. Take out what merge() has added, or keep a copy from the
moment of the merge.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.first_weight = base.weight.detach().clone()

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight.copy_(self.first_weight)
            self.merged = False
