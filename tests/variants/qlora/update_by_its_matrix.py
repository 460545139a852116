"""QLoRALinear multiplies by the whole update, and drops by hand; merge() goes through a state dict and freezes what it makes."""


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base must be an NF4Linear, got {type(base).__name__}")
        if rank < 1 or not 0 <= dropout < 1:
            raise ValueError(f"rank must be at least 1, and dropout in [0, 1); got rank {rank} and dropout {dropout}")
        self.base, self.p = base.requires_grad_(False), dropout
        bound = base.in_features**-0.5
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.lora_A = nn.Parameter((2 * torch.rand(rank, base.in_features) - 1) * bound)
        self.register_buffer("scaling", torch.tensor(alpha / rank))

    def delta_weight(self):
        return torch.einsum("or,ri->oi", self.lora_B, self.lora_A * self.scaling)

    def forward(self, x):
        given = x.to(torch.float32)
        if self.training and self.p > 0:
            given = given * (torch.rand_like(given) >= self.p) / (1 - self.p)
        return torch.add(self.base(x), torch.matmul(given, self.delta_weight().mT).to(x.dtype))

    def merge(self):
        state = {"weight": torch.add(self.base.dequantized_weight(), self.delta_weight())}
        if self.base.bias is not None:
            state["bias"] = self.base.bias
        merged = nn.Linear(self.base.in_features, self.base.out_features, bias="bias" in state)
        merged.load_state_dict(state)
        return merged.requires_grad_(False)
