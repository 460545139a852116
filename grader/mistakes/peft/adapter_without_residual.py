"""The adapter returns its branch alone, without x.

With up = 0 the output is then zero, and the pretrained model is cut at this place. The residual connection is
what makes a new adapter the identity.
"""
# Shows in: output_is_x_plus_the_bottleneck
# Leaves out: the residual x


class Adapter(Adapter):
    def forward(self, x):
        return self.up(F.gelu(self.down(x)))
