"""The bias is kept, but forward does not add it.

F.linear(x, weight) computes x Wᵀ alone. Give it the bias as its third argument.
"""
# Shows in: output_is_that_of_the_dequantised_weight
# Leaves out: the bias


class NF4Linear(NF4Linear):
    def forward(self, x):
        return F.linear(x, self.dequantized_weight().to(x.dtype))
