"""The bias still requires a gradient.

The base is frozen as a whole; only the adapter trains. Otherwise, taking the adapter away no longer gives the base
model back.
"""
# Shows in: gradient_passes_to_x_alone


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        if self.bias is not None:
            self.bias.requires_grad_(True)
