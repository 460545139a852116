"""down starts at zero, and up at random.

Then the branch is up(0), which is the random bias of up, and the wrong one of the two learns first. The
contract zeroes up.
"""
# Shows in: the_first_step_moves_up


class Adapter(Adapter):
    def __init__(self, hidden_size, bottleneck):
        super().__init__(hidden_size, bottleneck)
        self.up.reset_parameters()
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)
