"""The layer keeps a copy of the base instead of the base itself.

The copy costs the memory of the weight a second time, and it breaks a weight that the base shares with
another module.
"""

import copy


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(copy.deepcopy(base) if isinstance(base, nn.Linear) else base, rank, alpha, dropout)
