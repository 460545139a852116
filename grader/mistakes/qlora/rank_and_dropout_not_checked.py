"""Bad ranks and dropouts are accepted without a word.

A rank of 0 fails with a division by zero, a dropout of 1 trains nothing. Say which argument is wrong, what was given
and what is allowed.
"""
# Shows in: refuses_bad_arguments


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        nn.Module.__init__(self)
        if not isinstance(base, NF4Linear):
            raise TypeError(f"base must be an NF4Linear, got {type(base).__name__}")
        self.base = base
        device = base.codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # U(-1/√in, 1/√in)
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)
