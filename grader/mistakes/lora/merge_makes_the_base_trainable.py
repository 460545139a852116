"""merge() puts a new nn.Parameter in the place of the weight, and it requires gradients.

nn.Parameter is trainable by default. Change the frozen weight in place, under no_grad.
"""


class LoRALinear(LoRALinear):
    def merge(self):
        if not self.merged:
            self.base.weight = nn.Parameter(self.base.weight.detach() + self.delta_weight().detach())
            self.merged = True
