"""up starts at random.

A new adapter then disturbs the pretrained model before the first step. With up = 0 it is exactly the
identity.
"""


class Adapter(Adapter):
    def __init__(self, hidden_size, bottleneck):
        super().__init__(hidden_size, bottleneck)
        self.up.reset_parameters()
