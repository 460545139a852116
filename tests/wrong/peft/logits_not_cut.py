# WRONG peft: the logits of the virtual positions are returned too
"""
A handful of ways to not train most of a model.
"""

from collections import namedtuple

import torch
import torch.nn as nn
from torch.nn import functional as F

ParameterCount = namedtuple('ParameterCount', 'trainable total')

# -----------------------------------------------------------------------------

def freeze(model):
    for p in model.parameters():
        p.requires_grad_(False)
    return model

def count_parameters(model):
    ps = list(model.parameters()) # torch already drops duplicates here
    return ParameterCount(sum(p.numel() for p in ps if p.requires_grad), sum(p.numel() for p in ps))

def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError("also: need a list of names, got the string %r" % also)
    is_bias = lambda pn: pn.split('.')[-1] == 'bias'
    if not any(is_bias(pn) for pn, p in model.named_parameters()):
        raise ValueError("model: need at least one parameter named bias, got %s" % [pn for pn, p in model.named_parameters()])
    names = []
    for pn, p in model.named_parameters():
        p.requires_grad = is_bias(pn) or any(a in pn for a in also)
        if p.requires_grad:
            names.append(pn)
    return names

# -----------------------------------------------------------------------------

class Adapter(nn.Module):
    """ Houlsby et al. 2019, https://arxiv.org/abs/1902.00751 """

    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        if bottleneck < 1:
            raise ValueError("bottleneck: need >= 1, got %r" % bottleneck)
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        torch.nn.init.zeros_(self.up.weight) # identity at init, up gets its gradient through down's activations
        torch.nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.up(F.gelu(self.down(x)))

def _adapter_hook(module, inputs, output):
    return module.houlsby(output)

def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError("target_modules: need a list of names, got the string %r" % target_modules)
    if bottleneck < 1:
        raise ValueError("bottleneck: need >= 1, got %r" % bottleneck)

    # everything that is in the model by name, except the insides of adapters
    own = {mm for m in model.modules() if isinstance(m, Adapter) for mm in m.modules()}
    mods = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if n and m not in own]
    todo = [(n, m) for n, m in mods if n.split('.')[-1] in target_modules]
    if not todo:
        raise ValueError("target_modules: %s match nothing, the modules are %s" % (list(target_modules), [n for n, m in mods]))

    freeze(model)
    names = []
    for n, m in todo:
        if hasattr(m, 'houlsby'):
            continue
        p = next(m.parameters())
        m.houlsby = Adapter(m.out_features, bottleneck).to(p.device, p.dtype).train(m.training)
        m.register_forward_hook(_adapter_hook)
        names.append(n)
    for m in model.modules():
        if isinstance(m, Adapter):
            for p in m.parameters():
                p.requires_grad_(True)
    return names

# -----------------------------------------------------------------------------

class PromptTuning(nn.Module):

    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError("num_virtual_tokens: need >= 1, got %r" % num_virtual_tokens)
        self.n = num_virtual_tokens
        self.model = freeze(model)
        wte = model.get_input_embeddings()
        idx = torch.randint(0, wte.weight.size(0), (num_virtual_tokens,), device=wte.weight.device)
        self.prompt = nn.Parameter(wte.weight.detach()[idx].clone())

    def forward(self, input_ids, attention_mask):
        b, t = input_ids.size()
        tok = self.model.get_input_embeddings()(input_ids) # (b, t, d)
        x = torch.cat([self.prompt.unsqueeze(0).expand(b, -1, -1), tok], dim=1) # (b, n+t, d)
        mask = torch.cat([attention_mask.new_ones(b, self.n), attention_mask], dim=1)
        logits = self.model(inputs_embeds=x, attention_mask=mask)
        return logits

class IA3Linear(nn.Module):

    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError("base: need an nn.Linear, got %s" % type(base))
        self.base = freeze(base)
        self.ia3 = nn.Parameter(base.weight.new_ones(base.out_features))

    def forward(self, x):
        return self.ia3 * self.base(x)

    def merge(self):
        w, b = self.base.weight.data, self.base.bias
        lin = nn.Linear(w.size(1), w.size(0), bias=b is not None, device=w.device, dtype=w.dtype)
        lin.weight.data = w * self.ia3.data[:, None]
        if b is not None:
            lin.bias.data = b.data * self.ia3.data
        return lin

# -----------------------------------------------------------------------------

def adapter_state_dict(model):
    return {pn: p.detach().clone() for pn, p in model.named_parameters() if p.requires_grad}

def load_adapter(model, state):
    own = {pn: p for pn, p in model.named_parameters() if p.requires_grad}
    for pn in own:
        if pn not in state:
            raise ValueError("state: need %s, got only %s" % (pn, list(state)))
        if own[pn].shape != state[pn].shape:
            raise ValueError("state: need %s of shape %s, got %s" % (pn, tuple(own[pn].shape), tuple(state[pn].shape)))
    for pn in state:
        if pn not in own:
            raise ValueError("state: got %s, but need only %s" % (pn, list(own)))
    for pn, p in own.items():
        p.data.copy_(state[pn])

def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError("trainable: need at most total = %s, got %s" % (total, trainable))
    w, g, o = total * weight_bytes, trainable * grad_bytes, trainable * optimizer_bytes
    return {'weights': w, 'gradients': g, 'optimizer': o, 'total': w + g + o}
