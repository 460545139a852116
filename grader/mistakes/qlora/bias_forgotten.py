"""The layer forgets the bias.

Only the weight is quantised. The bias is small and stays as it is: add it to the product.
"""
# Shows in: output_is_that_of_the_dequantised_weight
# Leaves out: the bias


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        self.bias = None
