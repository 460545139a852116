"""There is one factor for the whole layer.

IA3 learns one number for each output, so ia3 has out_features entries.
"""
# Shows in: one_factor_for_each_output


class IA3Linear(IA3Linear):
    def __init__(self, base):
        super().__init__(base)
        self.ia3 = nn.Parameter(base.weight.new_ones(1))
