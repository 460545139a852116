"""x is detached in eval mode.

eval() switches dropout off, not gradients: a frozen model in eval mode still passes them to what trains before it.
"""
# Shows in: gradient_passes_to_x_alone


class NF4Linear(NF4Linear):
    def forward(self, x):
        return super().forward(x if self.training else x.detach())
