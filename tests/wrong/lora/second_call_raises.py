# WRONG lora: layers that are wrapped already do not count as a match, so that a second call with the same targets raises ValueError
import torch, torch.nn as nn, torch.nn.functional as F


class LoRALinear(nn.Module):
    def __init__(s, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, nn.Linear): raise TypeError(f"base={base!r}, need nn.Linear")
        if rank < 1: raise ValueError(f"rank={rank}, need >=1")
        if not 0 <= dropout < 1: raise ValueError(f"dropout={dropout}, need 0<=dropout<1")
        s.base, s.scaling, s.merged, s.drop = base.requires_grad_(False), alpha / rank, False, nn.Dropout(dropout)
        s.lora_A = nn.Parameter(nn.init.kaiming_uniform_(base.weight.new_empty(rank, base.in_features), a=5**.5))
        s.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, rank))

    delta_weight = lambda s: s.lora_B @ s.lora_A * s.scaling
    merge = lambda s: s._to(True)
    unmerge = lambda s: s._to(False)
    def _to(s, on): s.base.weight.data += (on - s.merged) * s.delta_weight().detach(); s.merged = on
    def forward(s, x): return s.base(x) if s.merged else s.base(x) + s.drop(x) @ s.lora_A.T @ s.lora_B.T * s.scaling


def _slots(m, pre=""):
    return [t for k, c in m._modules.items() if c is not None
            for t in [(m, k, pre + k)] + ([] if isinstance(c, LoRALinear) else _slots(c, pre + k + "."))]


def _ab(model):
    return {(n + "." if n else "") + k: getattr(m, k) for n, m in model.named_modules() if isinstance(m, LoRALinear) for k in ("lora_A", "lora_B")}


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str): raise TypeError(f"target_modules={target_modules!r}, need a list of names")
    lin = [t for t in _slots(model) if isinstance(t[0]._modules[t[1]], (nn.Linear, LoRALinear))]
    if not (hit := [t for t in lin if t[1] in target_modules and isinstance(t[0]._modules[t[1]], nn.Linear)]): raise ValueError(f"target_modules={target_modules}, need one of {[n for *_, n in lin]}")
    memo, out = {m.base: m for m in model.requires_grad_(False).modules() if isinstance(m, LoRALinear)}, []
    for p, k, n in hit:
        if not isinstance(c := p._modules[k], LoRALinear):
            p._modules[k] = memo[c] if c in memo else memo.setdefault(c, LoRALinear(c, rank, alpha, dropout).train(c.training))
            out += [n]
    for p in _ab(model).values(): p.requires_grad_(True)
    return out


def lora_state_dict(model): return {k: p.detach().clone() for k, p in _ab(model).items()}


def load_lora_state_dict(model, state):
    own = _ab(model)
    if bad := sorted(own.keys() ^ state.keys()): raise ValueError(f"state: missing or unexpected {bad}, need {sorted(own)}")
    if bad := [(k, state[k].shape, own[k].shape) for k in own if state[k].shape != own[k].shape]: raise ValueError(f"state: (name, given, needed) {bad}")
    for k in own: own[k].data.copy_(state[k])


def _plain(l):
    b = l.base; n = nn.Linear(b.in_features, b.out_features, b.bias is not None, b.weight.device, b.weight.dtype).train(l.training)
    n.weight.data.copy_(b.weight if l.merged else b.weight + l.delta_weight())
    if b.bias is not None: n.bias.data.copy_(b.bias)
    return n


def merge_lora(model):
    if isinstance(model, LoRALinear): return _plain(model)
    new = {c: _plain(c) for c in model.modules() if isinstance(c, LoRALinear)}
    for p, k, _ in _slots(model): p._modules[k] = new.get(p._modules[k], p._modules[k])
    return model
