# RIGHT peft: as terse as it gets, comprehensions, lambdas and walrus, adapters through hooks on the layer
import torch, torch.nn as nn, torch.nn.functional as F
from collections import namedtuple

ParameterCount = namedtuple("ParameterCount", "trainable total")
_tr = lambda m: {n: p for n, p in m.named_parameters() if p.requires_grad}
freeze = lambda model: model.requires_grad_(False)
count_parameters = lambda model: ParameterCount(sum(p.numel() for p in _tr(model).values()), sum(p.numel() for p in model.parameters()))


def _lst(**k):
    for n, v in k.items():
        if isinstance(v, str): raise TypeError(f"{n}={v!r}, need a list of names")


def _pos(**k):
    for n, v in k.items():
        if v < 1: raise ValueError(f"{n}={v}, need >=1")


def apply_bitfit(model, also=()):
    _lst(also=also)
    if not (b := {n for n, _ in model.named_parameters() if n.split(".")[-1] == "bias"}): raise ValueError(f"model={type(model).__name__} has no bias, need one")
    for n, p in model.named_parameters(): p.requires_grad_(n in b or any(a in n for a in also))
    return [*_tr(model)]


class Adapter(nn.Module):
    def __init__(s, hidden_size, bottleneck):
        _pos(bottleneck=bottleneck); super().__init__()
        s.down, s.up = nn.Linear(hidden_size, bottleneck), nn.Linear(bottleneck, hidden_size)
        s.up.load_state_dict({k: 0 * v for k, v in s.up.state_dict().items()})
    forward = lambda s, x: x + s.up(F.gelu(s.down(x)))


def _hook(m, _, y): return m._ad(y)


def add_adapters(model, target_modules, bottleneck):
    _lst(target_modules=target_modules); _pos(bottleneck=bottleneck)
    ins = {x for a in model.modules() if isinstance(a, Adapter) for x in a.modules()}
    ms = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if n and m not in ins]
    if not (hit := [(n, m) for n, m in ms if n.split(".")[-1] in target_modules]): raise ValueError(f"target_modules={target_modules}, need some of {[n for n, _ in ms]}")
    freeze(model); out = []
    for n, m in hit:
        if not hasattr(m, "_ad"):
            m._ad = Adapter(m.out_features, bottleneck).to(next(m.parameters(), torch.empty(0))).train(m.training); m.register_forward_hook(_hook); out.append(n)
    for m in model.modules(): isinstance(m, Adapter) and m.requires_grad_(True)
    return out


class PromptTuning(nn.Module):
    def __init__(s, model, num_virtual_tokens):
        _pos(num_virtual_tokens=num_virtual_tokens); super().__init__()
        s.m, w = freeze(model), model.get_input_embeddings().weight
        s.p = nn.Parameter(w.detach()[torch.randint(len(w), (num_virtual_tokens,))].clone())

    def forward(s, input_ids, attention_mask):
        e, n = s.m.get_input_embeddings()(input_ids), len(s.p)
        return s.m(inputs_embeds=torch.cat([s.p.expand(len(e), -1, -1), e], 1), attention_mask=torch.cat([attention_mask.new_ones(len(e), n), attention_mask], 1))[:, n:]


class IA3Linear(nn.Module):
    def __init__(s, base):
        if not isinstance(base, nn.Linear): raise TypeError(f"base={base!r}, need nn.Linear")
        super().__init__(); s.b, s.ia3 = freeze(base), nn.Parameter(base.weight.new_ones(base.out_features))
    forward = lambda s, x: s.b(x) * s.ia3

    def merge(s):
        b, i = s.b, s.ia3.data
        r = nn.Linear(b.in_features, b.out_features, b.bias is not None, b.weight.device, b.weight.dtype)
        r.weight.data = b.weight.data * i[:, None]
        if b.bias is not None: r.bias.data = b.bias.data * i
        return r


adapter_state_dict = lambda model: {n: p.detach().clone() for n, p in _tr(model).items()}


def load_adapter(model, state):
    own = _tr(model)
    if bad := sorted(own.keys() ^ state.keys()): raise ValueError(f"state: missing or unexpected {bad}, need {[*own]}")
    if bad := [(n, state[n].shape, p.shape) for n, p in own.items() if state[n].shape != p.shape]: raise ValueError(f"state: (name, given, needed) {bad}")
    for n, p in own.items(): p.data.copy_(state[n])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total: raise ValueError(f"trainable={trainable}, need <= total={total}")
    d = dict(weights=total * weight_bytes, gradients=trainable * grad_bytes, optimizer=trainable * optimizer_bytes)
    return d | {"total": sum(d.values())}
