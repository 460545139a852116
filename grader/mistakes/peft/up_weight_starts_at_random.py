"""The weight of up starts at random; only its bias is zero.

Then a new adapter disturbs the pretrained model before the first step. Zero the weight of up as well: the branch
is then zero for every x.
"""
# Shows in: the_first_step_moves_up


class Adapter(Adapter):
    def __init__(self, hidden_size, bottleneck):
        super().__init__(hidden_size, bottleneck)
        nn.init.xavier_uniform_(self.up.weight)
