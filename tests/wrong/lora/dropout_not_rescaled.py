# WRONG lora: the dropout mask is multiplied in without dividing by 1 - p, so the update is too small in training
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class LowRankUpdate(torch.autograd.Function):
    """u = s * x A^T B^T. The r-dimensional middle is recomputed in backward, it is cheap."""

    @staticmethod
    def forward(ctx, x, A, B, s):
        ctx.save_for_backward(x, A, B)
        ctx.s = s
        return s * (x @ A.t() @ B.t())

    @staticmethod
    def backward(ctx, g):
        x, A, B = ctx.saved_tensors
        s = ctx.s
        x2 = x.reshape(-1, x.shape[-1])
        g2 = g.reshape(-1, g.shape[-1])
        gx = gA = gB = None
        gm = s * (g2 @ B)                       # (n, r)
        if ctx.needs_input_grad[0]:
            gx = (gm @ A).reshape(x.shape)
        if ctx.needs_input_grad[1]:
            gA = gm.t() @ x2
        if ctx.needs_input_grad[2]:
            gB = s * (g2.t() @ (x2 @ A.t()))
        return gx, gA, gB, None


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"LoRALinear wants `base` to be an nn.Linear; {type(base).__name__} was passed")
        if rank < 1:
            raise ValueError(f"LoRALinear wants `rank` >= 1; {rank} was passed")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"LoRALinear wants `dropout` from [0, 1); {dropout} was passed")
        self.base = base
        base.requires_grad_(False)
        self.scaling = alpha / rank
        self.dropout = dropout
        self.merged = False
        w = base.weight.detach()
        self.lora_A = nn.Parameter(torch.empty_like(w, memory_format=torch.contiguous_format)[:1].expand(rank, -1).clone())
        self.lora_B = nn.Parameter(w.new_zeros((w.shape[0], rank)))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def delta_weight(self):
        # the rows of A seen as a batch of inputs: B A = (A^T B^T)^T
        return LowRankUpdate.apply(torch.eye(self.base.in_features, dtype=self.lora_A.dtype, device=self.lora_A.device),
                                   self.lora_A, self.lora_B, self.scaling).t()

    def merge(self):
        if not self.merged:
            self.base.weight.data.add_(self.delta_weight().detach())
            self.merged = True
        return self

    def unmerge(self):
        if self.merged:
            self.base.weight.data.sub_(self.delta_weight().detach())
            self.merged = False
        return self

    def forward(self, x):
        y = self.base(x)
        if self.merged:
            return y
        if self.training and self.dropout > 0:
            x = x * torch.bernoulli(torch.full_like(x, 1 - self.dropout))
        return y + LowRankUpdate.apply(x, self.lora_A, self.lora_B, self.scaling)


def _targets(model):
    """name -> (parent, key) for all linear layers that are not the base of a LoRALinear."""
    bases = {id(m.base) for m in model.modules() if isinstance(m, LoRALinear)}
    table = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if not name or not isinstance(module, (nn.Linear, LoRALinear)):
            continue
        path, _, key = name.rpartition(".")
        parent = model.get_submodule(path)
        if id(module) in bases and isinstance(parent, LoRALinear):
            continue
        table[name] = (parent, key)
    return table


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"inject_lora wants `target_modules` to be a list of strings; the string {target_modules!r} was passed")
    table = _targets(model)
    names = [n for n in table if n.split(".")[-1] in target_modules]
    if not names:
        raise ValueError(f"inject_lora wants `target_modules` from the linear layers {list(table)}; "
                         f"{list(target_modules)} was passed")
    for p in model.parameters():
        p.requires_grad = False
    owner = {m.base: m for m in model.modules() if isinstance(m, LoRALinear)}
    fresh = []
    for n in names:
        parent, key = table[n]
        module = getattr(parent, key)
        if isinstance(module, LoRALinear):
            continue
        if module not in owner:
            owner[module] = LoRALinear(module, rank, alpha, dropout).train(module.training)
        setattr(parent, key, owner[module])
        fresh.append(n)
    for layer in owner.values():
        layer.lora_A.requires_grad = True
        layer.lora_B.requires_grad = True
    return fresh


def lora_state_dict(model):
    keep = set()
    for m in model.modules():
        if isinstance(m, LoRALinear):
            keep |= {m.lora_A, m.lora_B}
    return {n: p.detach().clone() for n, p in model.named_parameters() if p in keep}


def load_lora_state_dict(model, state):
    names = lora_state_dict(model).keys()
    parameters = {n: p for n, p in model.named_parameters() if n in names}
    complaints = [f"no {n}" for n in parameters if n not in state]
    complaints += [f"{n} is not one of them" for n in state if n not in parameters]
    complaints += [f"{n} with shape {tuple(state[n].shape)}, not {tuple(p.shape)}" for n, p in parameters.items()
                   if n in state and state[n].shape != p.shape]
    if complaints:
        raise ValueError(f"load_lora_state_dict wants `state` to hold {sorted(names)}; this was passed: " + ", ".join(complaints))
    for n, p in parameters.items():
        p.detach().copy_(state[n])


def merge_lora(model):
    built = {}

    def build(layer):
        if layer not in built:
            b = layer.base
            w = b.weight.detach() if layer.merged else b.weight.detach() + layer.delta_weight().detach()
            new = nn.Linear(b.in_features, b.out_features, bias=b.bias is not None, device=w.device, dtype=w.dtype)
            new.weight.data.copy_(w)
            if b.bias is not None:
                new.bias.data.copy_(b.bias)
            built[layer] = new.train(layer.training)
        return built[layer]

    if isinstance(model, LoRALinear):
        return build(model)
    for parent, key in _targets(model).values():
        layer = getattr(parent, key)
        if isinstance(layer, LoRALinear):
            setattr(parent, key, build(layer))
    return model
