"""ia3 is float32 whatever the base is, and so is then the output.

A half-precision tensor times a float32 tensor is float32, and the next half-precision layer refuses it. Make
ia3 in the dtype of the weight, or cast the product back.
"""
# Shows in: follows_the_dtype_of_the_base


class IA3Linear(IA3Linear):
    def __init__(self, base):
        super().__init__(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features))
