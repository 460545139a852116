"""The layer keeps a copy of the base.

The copy costs the memory of the codes a second time, and breaks a base that stands at two places in the model.
"""
# Shows in: keeps_the_base_and_the_scaling

import copy


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        self.base = copy.deepcopy(base)
