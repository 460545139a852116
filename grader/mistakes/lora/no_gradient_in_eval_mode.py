"""In eval mode forward runs under no_grad.

eval() switches dropout off; it does not switch gradients off. Whoever wants no gradients says torch.no_grad().
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.training:
            return super().forward(x)
        with torch.no_grad():
            return super().forward(x)
