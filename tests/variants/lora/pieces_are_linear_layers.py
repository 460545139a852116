"""The factors are born as nn.Linear layers, whose weights are then registered under the contract's names."""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        options = {"bias": False, "dtype": base.weight.dtype, "device": base.weight.device}
        down, up = nn.Linear(base.in_features, rank, **options), nn.Linear(rank, base.out_features, **options)
        nn.init.zeros_(up.weight)
        self.lora_A, self.lora_B = down.weight, up.weight
