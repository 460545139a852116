# WRONG peft: tokens are drawn without replacement, which fails if there are more virtual tokens than words
r"""
Notation. theta = (theta_1, ..., theta_n) are the parameters of a model, T a subset of them that trains.
f : R^i -> R^o a layer, a(x) = x + U g(D x + d) + u an adapter with g(z) = z Phi(z).
"""
from typing import NamedTuple

import torch
from torch import nn
from torch.special import ndtr as Phi


class ParameterCount(NamedTuple):
    trainable: int
    total: int


def _restrict(model, T):
    """Only the parameters in T train."""
    T = frozenset(T)
    for theta in model.parameters():
        theta.requires_grad_(theta in T)
    return model


def freeze(model):
    return _restrict(model, ())


def count_parameters(model):
    Theta = frozenset(model.parameters())
    return ParameterCount(sum(t.numel() for t in Theta if t.requires_grad), sum(t.numel() for t in Theta))


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError(f"also = {also!r} is a string; a set of strings, as a list or a tuple, is allowed")
    N = list(model.named_parameters())
    beta = {theta for name, theta in N if name.split(".")[-1] == "bias"}
    eta = {theta for name, theta in N if any(s in name for s in also)}
    if not beta:
        raise ValueError(f"model: the set of biases is empty, a nonempty one is needed; names are {[n for n, _ in N]}")
    _restrict(model, beta | eta)
    return [name for name, theta in N if theta in beta | eta]


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        D, m = hidden_size, bottleneck
        if not m >= 1:
            raise ValueError(f"bottleneck = {m}, but bottleneck >= 1 is needed")
        self.down, self.up = nn.Linear(D, m), nn.Linear(m, D)
        with torch.no_grad():
            self.down.weight.normal_(0, D ** -0.5)
            self.up.weight.mul_(0)
            self.up.bias.mul_(0)

    def forward(self, x):
        z = self.down(x)
        return x + self.up(z * Phi(z))


class Composition(nn.Module):
    """a o f"""

    def __init__(self, a, f):
        super().__init__()
        self.f, self.a = f, a

    def forward(self, *x, **kw):
        return self.a(self.f(*x, **kw))

    @property
    def out_features(self):
        return self.f.out_features


def _tree(node, path=""):
    """(parent, key, path) for all nodes but adapters; a composition and its f are one node."""
    for key, child in node._modules.items():
        if child is None:
            continue
        here = path + key
        yield node, key, here
        inner = child.f if isinstance(child, Composition) else child
        yield from _tree(inner, here + ".")


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules = {target_modules!r} is a string; a list of strings is allowed")
    if not bottleneck >= 1:
        raise ValueError(f"bottleneck = {bottleneck}, but bottleneck >= 1 is needed")
    Omega = list(_tree(model))
    S = [(p, k, n) for p, k, n in Omega if k in target_modules]
    if not S:
        raise ValueError(f"target_modules = {list(target_modules)} is disjoint from the modules {[n for *_, n in Omega]}")
    psi = {}
    names = []
    for p, k, n in S:
        f = p._modules[k]
        if isinstance(f, Composition):
            continue
        if f not in psi:
            a = Adapter(f.out_features, bottleneck)
            for theta in f.parameters():
                a.to(theta)
            psi[f] = Composition(a, f)
            psi[f].train(f.training)
        p._modules[k] = psi[f]
        names.append(n)
    _restrict(model, (theta for a in model.modules() if isinstance(a, Adapter) for theta in a.parameters()))
    return names


class PromptTuning(nn.Module):
    r"""P in R^{n x D}; logits of model([P; E(ids)]) without the first n."""

    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        n = num_virtual_tokens
        if not n >= 1:
            raise ValueError(f"num_virtual_tokens = {n}, but num_virtual_tokens >= 1 is needed")
        self.model = freeze(model)
        E = model.get_input_embeddings()
        V = E.weight.shape[0]
        i = torch.multinomial(torch.ones(V), n, replacement=False).to(E.weight.device)
        with torch.no_grad():
            self.P = nn.Parameter(E(i).clone())

    def forward(self, input_ids, attention_mask):
        X = self.model.get_input_embeddings()(input_ids)
        B, T, D = X.shape
        n = len(self.P)
        one = torch.ones((B, n), dtype=attention_mask.dtype, device=attention_mask.device)
        Y = self.model(inputs_embeds=torch.hstack([self.P.broadcast_to(B, n, D), X]),
                       attention_mask=torch.hstack([one, attention_mask]))
        return torch.tensor_split(Y, [n], dim=1)[1]


class IA3Linear(nn.Module):
    """x -> l * f(x), l in R^o, l = 1 at the start."""

    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base = {base!r} is no nn.Linear")
        self.f = freeze(base)
        self.ia3 = nn.Parameter(base.weight.new_ones(base.weight.shape[0]))

    def forward(self, x):
        return torch.einsum("...o,o->...o", self.f(x), self.ia3)

    def merge(self):
        W, b = self.f.weight, self.f.bias
        o, i = W.shape
        g = nn.Linear(i, o, bias=b is not None, device=W.device, dtype=W.dtype)
        with torch.no_grad():
            g.weight.copy_(torch.einsum("o,oi->oi", self.ia3, W))
            if b is not None:
                g.bias.copy_(self.ia3 * b)
        return g


def _T(model):
    return {name: theta for name, theta in model.named_parameters() if theta.requires_grad}


def adapter_state_dict(model):
    return {name: theta.detach().clone() for name, theta in _T(model).items()}


def load_adapter(model, state):
    T = _T(model)
    if set(T) != set(state):
        raise ValueError(f"state: keys given minus allowed = {set(state) - set(T)}, allowed minus given = {set(T) - set(state)}")
    bad = {n: f"{tuple(state[n].shape)} given, {tuple(T[n].shape)} allowed" for n in T if state[n].shape != T[n].shape}
    if bad:
        raise ValueError(f"state: shapes differ at {bad}")
    with torch.no_grad():
        for n, theta in T.items():
            theta.copy_(state[n])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not trainable <= total:
        raise ValueError(f"trainable = {trainable}, but trainable <= total = {total} is needed")
    w, g, o = weight_bytes * total, grad_bytes * trainable, optimizer_bytes * trainable
    return dict(weights=w, gradients=g, optimizer=o, total=w + g + o)
