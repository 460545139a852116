"""A dropout of 1.0 is accepted.

It drops every input, so the adapter never learns. nn.Dropout allows it, the contract does not: dropout lies in [0,
1).
"""
# Shows in: refuses_bad_arguments


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        nn.Module.__init__(self)
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base must be an NF4Linear, got {type(base).__name__}")
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.base = base
        device = base.codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # U(-1/√in, 1/√in)
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)
