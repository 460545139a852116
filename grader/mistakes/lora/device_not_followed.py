"""The factors are made on the CPU, wherever the base lies.

A model on a GPU then fails at its first call. Take the device of base.weight.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        dtype = base.weight.dtype
        if base.weight.device.type != "cpu":
            self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=dtype))
            self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=dtype))
