"""ia3 is a plain tensor.

An optimizer finds parameters only, and the state dict does not hold it. Wrap it in nn.Parameter.
"""


class IA3Linear(IA3Linear):
    def __init__(self, base):
        super().__init__(base)
        del self.ia3
        self.ia3 = torch.ones(base.out_features, dtype=base.weight.dtype, requires_grad=True)
