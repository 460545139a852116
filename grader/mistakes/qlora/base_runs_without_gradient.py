"""forward of NF4Linear runs under no_grad.

Frozen means that the weight gets no gradient. The gradient with respect to x must pass, or all adapters in the layers
before learn nothing.
"""
# Shows in: gradient_passes_to_x_alone


class NF4Linear(NF4Linear):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)
