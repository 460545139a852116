"""The old nn.Linear is kept in the layer, hidden in a list.

No parameter and no buffer shows it, but the float weight stays in memory as long as the layer does. Take the sizes
and the bias, and let the rest go.
"""
# Shows in: holds_four_bits_a_number


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        self.original = [linear]
