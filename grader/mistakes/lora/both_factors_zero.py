"""Both factors start at zero.

The gradient of A contains B, and that of B contains A. With both zero, both gradients are zero for ever, and
the layer never learns. Only B starts at zero.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.zeros_(self.lora_A)
