"""merge() changes the base itself.

The layer then rescales twice when it is used or merged again. Make a new nn.Linear.
"""
# Shows in: merging_leaves_the_layer_alone


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        self.base.weight.mul_(self.ia3[:, None])
        if self.base.bias is not None:
            self.base.bias.mul_(self.ia3)
        return self.base
