"""A bottleneck below 1 is not refused, or not by a ValueError.

nn.Linear takes 0 with a mere warning, and the adapter then learns nothing but a bias. Raise a ValueError
that names the argument and what was given.
"""


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.up(F.gelu(self.down(x)))
