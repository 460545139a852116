# WRONG peft: the prompt starts from normal noise instead of from embeddings of real tokens
import math
from collections import namedtuple

import numpy as np
import torch
from torch import nn

ParameterCount = namedtuple("ParameterCount", ["trainable", "total"])
rng = np.random.default_rng()


def freeze(model):
    for p in model.parameters():
        p.requires_grad_(False)
    return model


def count_parameters(model):
    parameters = list(model.parameters())
    sizes = np.array([math.prod(p.shape) for p in parameters], dtype=np.int64)
    trains = np.array([p.requires_grad for p in parameters], dtype=bool)
    return ParameterCount(int(sizes[trains].sum()), int(sizes.sum()))


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError(f"also has to be a list of strings; got the string {also!r}")
    names = np.array([n for n, _ in model.named_parameters()], dtype=object)
    bias = np.array([n.split(".")[-1] == "bias" for n in names], dtype=bool)
    if not bias.any():
        raise ValueError(f"model has to have a parameter named bias; got a model with {names.tolist()}")
    keep = bias.copy()
    for part in also:
        keep |= np.array([part in n for n in names], dtype=bool)
    for flag, (_, p) in zip(keep, model.named_parameters()):
        p.requires_grad_(bool(flag))
    return names[keep].tolist()


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"bottleneck has to be 1 or more; got {bottleneck}")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        start = rng.standard_normal((bottleneck, hidden_size)) / np.sqrt(hidden_size)
        self.down.weight.data.copy_(torch.from_numpy(start))
        for p, shape in ((self.down.bias, bottleneck), (self.up.weight, (hidden_size, bottleneck)), (self.up.bias, hidden_size)):
            p.data.copy_(torch.from_numpy(np.zeros(shape)))

    def forward(self, x):
        h = torch.einsum("...d,md->...m", x, self.down.weight) + self.down.bias
        h = nn.functional.gelu(h)
        return x + (torch.einsum("...m,dm->...d", h, self.up.weight) + self.up.bias)


def _after(module, args, output):
    return module.peft["adapter"](output)


def _has_adapter(module):
    return "peft" in module._modules and "adapter" in module._modules["peft"]


def _listed(model):
    hidden = set()
    for m in model.modules():
        if isinstance(m, Adapter):
            hidden |= set(m.modules())
        if _has_adapter(m):
            hidden.add(m.peft)
    return [(n, m) for n, m in model.named_modules(remove_duplicate=False) if n and m not in hidden]


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules has to be a list of strings; got the string {target_modules!r}")
    if bottleneck < 1:
        raise ValueError(f"bottleneck has to be 1 or more; got {bottleneck}")
    listed = _listed(model)
    last = np.array([n.split(".")[-1] for n, _ in listed], dtype=object)
    hits = np.flatnonzero([part in list(target_modules) for part in last])
    if hits.size == 0:
        raise ValueError(f"target_modules has to name some of {sorted(set(last))}; got {list(target_modules)}")
    freeze(model)
    new = []
    for i in hits:
        name, module = listed[i]
        if _has_adapter(module):
            continue
        adapter = Adapter(int(module.out_features), bottleneck)
        for p in module.parameters():
            adapter = adapter.to(device=p.device, dtype=p.dtype)
            break
        module.peft = nn.ModuleDict({"adapter": adapter})
        module.peft.train(module.training)
        module.register_forward_hook(_after)
        new.append(name)
    for m in model.modules():
        if isinstance(m, Adapter):
            m.requires_grad_(True)
    return new


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens has to be 1 or more; got {num_virtual_tokens}")
        self.model = freeze(model)
        table = model.get_input_embeddings()
        picks = rng.choice(table.weight.shape[0], size=num_virtual_tokens, replace=True)
        with torch.no_grad():
            start = table(torch.from_numpy(picks).long().to(table.weight.device))
        self.soft = nn.Parameter(torch.randn_like(start) * start.std())

    def forward(self, input_ids, attention_mask):
        n, (B, T) = len(self.soft), input_ids.shape
        real = self.model.get_input_embeddings()(input_ids)
        embeds = torch.cat([torch.einsum("nd,b->bnd", self.soft, real.new_ones(B)), real], dim=1)
        mask = torch.nn.functional.pad(attention_mask, (n, 0), mode="constant", value=1)
        logits = self.model(inputs_embeds=embeds, attention_mask=mask)
        return logits.index_select(1, torch.arange(n, n + T, device=logits.device))


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base has to be an nn.Linear; got {type(base).__name__}")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features, dtype=base.weight.dtype, device=base.weight.device))

    def forward(self, x):
        return torch.einsum("...o,o->...o", self.base(x), self.ia3)

    def merge(self):
        W, b, s = self.base.weight.detach(), self.base.bias, self.ia3.detach()
        out = nn.Linear(self.base.in_features, self.base.out_features, bias=b is not None, dtype=W.dtype, device=W.device)
        out.weight.data.copy_(torch.einsum("o,oi->oi", s, W))
        if b is not None:
            out.bias.data.copy_(torch.einsum("o,o->o", s, b.detach()))
        return out


def adapter_state_dict(model):
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def load_adapter(model, state):
    own = {n: p for n, p in model.named_parameters() if p.requires_grad}
    missing = np.setdiff1d(list(own), list(state)).tolist()
    unexpected = np.setdiff1d(list(state), list(own)).tolist()
    if missing or unexpected:
        raise ValueError(f"state has to hold exactly the trainable tensors; missing {missing}, unexpected {unexpected}")
    for n, p in own.items():
        if tuple(p.shape) != tuple(state[n].shape):
            raise ValueError(f"state[{n!r}] has to have shape {tuple(p.shape)}; got {tuple(state[n].shape)}")
    with torch.no_grad():
        for n, p in own.items():
            p.copy_(state[n])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"trainable has to be at most total = {total}; got {trainable}")
    numbers = [total, trainable, trainable]
    sizes = [weight_bytes, grad_bytes, optimizer_bytes]
    parts = [n * s for n, s in zip(numbers, sizes)]
    return dict(zip(("weights", "gradients", "optimizer", "total"), [*parts, sum(parts)]))
