"""merge() multiplies the bias by ia3 twice.

Weight and bias each get the factor once: base(x) · ia3 is weight · ia3 applied to x, plus bias · ia3.
"""
# Shows in: merged_layer_answers_the_same


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        merged = super().merge()
        if merged.bias is not None:
            merged.bias.mul_(self.ia3)
        return merged
