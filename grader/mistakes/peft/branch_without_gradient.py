"""The input of the branch is detached.

The adapter itself learns, but the adapters before it get a gradient through the residual path alone. Nothing
in forward may be detached.
"""


class Adapter(Adapter):
    def forward(self, x):
        return x + self.up(F.gelu(self.down(x.detach())))
