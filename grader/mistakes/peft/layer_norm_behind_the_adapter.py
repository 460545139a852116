"""A LayerNorm stands behind the sum.

Then a new adapter is not the identity: it normalises what the pretrained model computes. The contract's
adapter returns the sum itself.
"""
# Shows in: output_is_x_plus_the_bottleneck


class Adapter(Adapter):
    def __init__(self, hidden_size, bottleneck):
        super().__init__(hidden_size, bottleneck)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, x):
        return self.norm(x + self.up(F.gelu(self.down(x))))
