"""The scaling is a float32 buffer, so it moves with the model and appears in its state dict."""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        del self.scaling
        self.register_buffer("scaling", torch.tensor(alpha / rank, dtype=torch.float32, device=base.weight.device))
