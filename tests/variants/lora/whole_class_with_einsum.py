"""Everything written from scratch: einsum, F.linear with the base's tensors, camel-case helpers."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def makeFactor(rows, columns, like):
    return nn.Parameter(torch.zeros(rows, columns, dtype=like.dtype, device=like.device))


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if not isinstance(base, nn.Linear):
            raise TypeError("base: got %r, only nn.Linear is allowed" % type(base))
        if not rank >= 1:
            raise ValueError("rank: got %r, at least 1 is allowed" % rank)
        if dropout < 0.0 or dropout >= 1.0:
            raise ValueError("dropout: got %r, [0, 1) is allowed" % dropout)
        super(LoRALinear, self).__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        self.lora_A = makeFactor(rank, base.in_features, base.weight)
        self.lora_B = makeFactor(base.out_features, rank, base.weight)
        bound = 1 / math.sqrt(base.in_features)
        nn.init.uniform_(self.lora_A, -bound, bound)
        self.alpha, self.rank, self.p = alpha, rank, dropout
        self.merged = False

    @property
    def scaling(self):
        return self.alpha / self.rank

    def forward(self, x):
        y = F.linear(x, self.base.weight, self.base.bias)
        if not self.merged:
            z = F.dropout(x, self.p, training=self.training)
            y = y + self.scaling * torch.einsum("or,ri,...i->...o", self.lora_B, self.lora_A, z)
        return y

    def delta_weight(self):
        return torch.einsum("or,ri->oi", self.lora_B, self.lora_A) * self.scaling

    def merge(self):
        if self.merged:
            return
        self.base.weight.data = self.base.weight.data + self.delta_weight().data
        self.merged = True

    def unmerge(self):
        if not self.merged:
            return
        self.base.weight.data = self.base.weight.data - self.delta_weight().data
        self.merged = False
