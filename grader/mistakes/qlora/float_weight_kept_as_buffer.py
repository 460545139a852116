"""The float weight is kept as a buffer beside the codes.

Then the layer takes more memory than before, and the state dict holds the weight twice. The codes are all that is
needed: expand them in forward.
"""
# Shows in: holds_four_bits_a_number


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        self.register_buffer("weight", linear.weight.detach().clone())
