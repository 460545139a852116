"""The bias of up does not start at zero.

nn.Linear draws its bias at random, and that is added to every x. Zero the weight and the bias of up.
"""


class Adapter(Adapter):
    def __init__(self, hidden_size, bottleneck):
        super().__init__(hidden_size, bottleneck)
        nn.init.uniform_(self.up.bias, -0.1, 0.1)
