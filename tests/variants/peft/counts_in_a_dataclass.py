"""The counts are a dataclass of numpy numbers, with more fields, in another order."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Report:
    total: np.int64
    trainable: np.int64
    tensors: int

    @property
    def share(self):
        return self.trainable / max(self.total, 1)


def count_parameters(model):
    distinct = list({id(p): p for p in model.parameters()}.values())
    sizes = np.array([np.prod(p.shape, dtype=np.int64) for p in distinct], dtype=np.int64)
    trains = np.array([p.requires_grad for p in distinct], dtype=bool)
    return Report(total=sizes.sum(), trainable=sizes[trains].sum(), tensors=len(distinct))
