"""LoRALinear does not freeze the bias of its base; only inject_lora does.

Whoever makes a LoRALinear by hand then trains the bias along. The layer itself freezes its base, weight and bias.
"""
# Shows in: only_the_factors_train


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        bias = getattr(base, "bias", None)
        learns = bias is not None and bias.requires_grad
        super().__init__(base, rank, alpha, dropout)
        if learns:
            bias.requires_grad_(True)
