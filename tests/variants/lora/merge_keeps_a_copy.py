"""merge() keeps the old weight and unmerge() puts it back, exact to the last bit."""


class LoRALinear(LoRALinear):
    def merge(self):
        if not self.merged:
            self.kept = self.base.weight.detach().clone()
            self.base.weight.data.add_(self.delta_weight().detach())
            self.merged = True

    def unmerge(self):
        if self.merged:
            self.base.weight.data.copy_(self.kept)
            del self.kept
            self.merged = False
