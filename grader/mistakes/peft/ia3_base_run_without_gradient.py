"""The base runs under no_grad, because it is frozen.

The layers before need the gradient with respect to x. Frozen means that the weight gets none.
"""


class IA3Linear(IA3Linear):
    def forward(self, x):
        with torch.no_grad():
            output = self.base(x)
        return output * self.ia3
