"""merge() scales the columns of the weight instead of its rows.

nn.Linear stores (out, in), so output i is row i: weight · ia3[:, None]. Without [:, None] it fails, or on a
square layer scales the inputs.
"""


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        merged = super().merge()
        merged.weight.copy_(self.base.weight * self.ia3)
        return merged
