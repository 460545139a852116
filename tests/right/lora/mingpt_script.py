# RIGHT lora: small script in the manner of minGPT, the update is x @ A.T @ B.T, replacement through setattr on a parent dict
"""
LoRA, minimally. See https://arxiv.org/abs/2106.09685
A frozen nn.Linear plus a trainable low-rank path beside it.
"""

import math

import torch
import torch.nn as nn
from torch.nn import functional as F

# -----------------------------------------------------------------------------

class LoRALinear(nn.Module):
    """ y = Wx + b + (alpha/r) * B A drop(x) """

    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError("base: expected an nn.Linear, was given %s" % type(base))
        if rank < 1:
            raise ValueError("rank: must be at least 1, was given %r" % rank)
        if dropout < 0 or dropout >= 1:
            raise ValueError("dropout: must be >= 0 and < 1, was given %r" % dropout)
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        kw = dict(device=base.weight.device, dtype=base.weight.dtype)
        self.lora_A = nn.Parameter(torch.zeros(rank, base.in_features, **kw))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, **kw))
        # default nn.Linear init for the down projection, B stays zero so we start at the base model
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / rank
        self.drop = nn.Dropout(dropout)
        self.merged = False

    def delta_weight(self):
        return self.scaling * (self.lora_B @ self.lora_A) # (out, in)

    def merge(self):
        if not self.merged:
            with torch.no_grad():
                self.base.weight += self.delta_weight()
            self.merged = True

    def unmerge(self):
        if self.merged:
            with torch.no_grad():
                self.base.weight -= self.delta_weight()
            self.merged = False

    def forward(self, x):
        y = self.base(x)
        if self.merged:
            return y
        return y + (self.drop(x) @ self.lora_A.T @ self.lora_B.T) * self.scaling

# -----------------------------------------------------------------------------

def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError("target_modules: expected a list of names, was given the string %r" % target_modules)

    # the linear layers out there, minus the ones that already live inside of a LoRALinear
    inside = {m.base for m in model.modules() if isinstance(m, LoRALinear)}
    linears = {}
    for pn, parent in model.named_modules():
        for cn, child in parent.named_children():
            break # named_children drops doubles, so look at the raw dict below
        for cn, child in parent._modules.items():
            fpn = '%s.%s' % (pn, cn) if pn else cn
            if isinstance(child, LoRALinear) or (isinstance(child, nn.Linear) and child not in inside):
                linears[fpn] = (parent, cn, child)

    hits = {n: t for n, t in linears.items() if t[1] in target_modules}
    if len(hits) == 0:
        raise ValueError("target_modules: %s match no linear layer, choose from: %s" % (list(target_modules), ', '.join(linears)))

    for p in model.parameters():
        p.requires_grad = False

    order = {n: i for i, (n, _) in enumerate(model.named_modules(remove_duplicate=False))}
    wrapped, made = [], {}
    for n in sorted(hits, key=order.get):
        parent, cn, child = hits[n]
        if isinstance(child, LoRALinear):
            continue
        if child not in made:
            made[child] = LoRALinear(child, rank, alpha, dropout).train(child.training)
        setattr(parent, cn, made[child])
        wrapped.append(n)

    for m in model.modules():
        if isinstance(m, LoRALinear):
            m.lora_A.requires_grad = True
            m.lora_B.requires_grad = True
    return wrapped

def lora_state_dict(model):
    out = {}
    for mn, m in model.named_modules():
        if isinstance(m, LoRALinear):
            pre = mn + '.' if mn else ''
            out[pre + 'lora_A'] = m.lora_A.detach()
            out[pre + 'lora_B'] = m.lora_B.detach()
    return out

def load_lora_state_dict(model, state):
    own = lora_state_dict(model)
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    wrong = ['%s (given %s, need %s)' % (k, tuple(state[k].shape), tuple(own[k].shape))
             for k in own if k in state and state[k].shape != own[k].shape]
    if missing or extra or wrong:
        raise ValueError("state does not fit: missing %s, unexpected %s, wrong shape %s" % (missing, extra, wrong))
    for k in own:
        own[k].copy_(state[k]) # detached views share memory with the parameters

def merge_lora(model):
    def plain(m):
        b = m.base
        lin = nn.Linear(b.in_features, b.out_features, b.bias is not None, device=b.weight.device, dtype=b.weight.dtype)
        with torch.no_grad():
            w = b.weight if m.merged else b.weight + m.delta_weight()
            lin.weight.copy_(w)
            if b.bias is not None:
                lin.bias.copy_(b.bias)
        return lin.train(m.training)

    if isinstance(model, LoRALinear):
        return plain(model)
    made = {}
    for parent in list(model.modules()):
        if isinstance(parent, LoRALinear):
            continue
        for cn, child in list(parent._modules.items()):
            if isinstance(child, LoRALinear):
                if child not in made:
                    made[child] = plain(child)
                setattr(parent, cn, made[child])
    return model
