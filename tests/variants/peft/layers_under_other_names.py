"""The adapter is a Sequential whose parts are found by properties; up is a subclass of nn.Linear, and down starts with the zero bias of a ViT."""


class ZeroLinear(nn.Linear):
    def reset_parameters(self):
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        if not bottleneck > 0:
            raise ValueError(f"expected a positive bottleneck, got {bottleneck}")
        self.branch = nn.Sequential(nn.Linear(hidden_size, bottleneck), nn.GELU(), ZeroLinear(bottleneck, hidden_size))
        nn.init.trunc_normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)

    @property
    def down(self):
        return self.branch[0]

    @property
    def up(self):
        return self.branch[2]

    def forward(self, x):
        return self.branch(x).add(x)
