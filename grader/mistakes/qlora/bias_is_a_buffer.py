"""The bias is a buffer instead of a frozen parameter.

The contract keeps it as a parameter without a gradient, so that whatever looks for parameters, such as the cast of
prepare_for_training, finds it.
"""
# Shows in: gradient_passes_to_x_alone


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        if self.bias is not None:
            bias = self.bias.detach()
            del self.bias
            self.register_buffer("bias", bias)
