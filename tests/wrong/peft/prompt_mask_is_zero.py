# WRONG peft: the attention mask grows by zeros instead of ones
import functools
import itertools
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

ParameterCount = namedtuple("ParameterCount", ("trainable", "total"))

MARK = "bottleneck_adapter"


# ------------------------------------------------------------- small functions

def ensure(condition, error, message):
    if not condition:
        raise error(message)


def not_text(name, value):
    ensure(not isinstance(value, str), TypeError, f"{name} must be a list of strings, {value!r} is one string")
    return tuple(value)


def positive(name, value):
    ensure(value >= 1, ValueError, f"{name} must be 1 or more, {value} is less")
    return value


def last(name):
    return name[name.rfind(".") + 1:]


def contains_any(parts):
    return lambda name: any(map(name.__contains__, parts))


def set_grad(parameters, flag):
    for p in parameters:
        p.requires_grad_(flag)


def trainable_items(model):
    return dict(filter(lambda item: item[1].requires_grad, model.named_parameters()))


def size(parameters):
    return sum(map(torch.Tensor.numel, parameters))


# ------------------------------------------------------------- freezing and counting

def freeze(model):
    set_grad(model.parameters(), False)
    return model


def count_parameters(model):
    return ParameterCount(size(trainable_items(model).values()), size(model.parameters()))


def apply_bitfit(model, also=()):
    parts = not_text("also", also)
    named = dict(model.named_parameters())
    biases = [n for n in named if last(n) == "bias"]
    ensure(biases, ValueError, f"model must have a parameter whose last name part is bias; it has {list(named)}")
    chosen = [n for n in named if n in set(biases) or contains_any(parts)(n)]
    freeze(model)
    set_grad(map(named.__getitem__, chosen), True)
    return chosen


# ------------------------------------------------------------- adapters

class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        self.down = nn.Linear(hidden_size, positive("bottleneck", bottleneck))
        self.up = nn.Linear(bottleneck, hidden_size)
        list(map(nn.init.zeros_, self.up.parameters()))

    def forward(self, x):
        return functools.reduce(lambda value, f: f(value), (self.down, F.gelu, self.up), x) + x


def followed(module, *args, **kwargs):
    """What the forward of an adapted module does: its class's forward, then the adapter."""
    return module._modules[MARK](type(module).forward(module, *args, **kwargs))


def attach(module, bottleneck):
    like = next(itertools.chain(module.parameters(), module.buffers()), torch.empty(0))
    adapter = Adapter(module.out_features, bottleneck).to(device=like.device, dtype=like.dtype)
    module.add_module(MARK, adapter.train(module.training))
    module.forward = functools.partial(followed, module)


def descend(module, prefix=""):
    for key, child in module._modules.items():
        if child is not None and not isinstance(child, Adapter):
            yield prefix + key, child
            yield from descend(child, prefix + key + ".")


def add_adapters(model, target_modules, bottleneck):
    targets = not_text("target_modules", target_modules)
    positive("bottleneck", bottleneck)
    modules = list(descend(model))
    matching = [(n, m) for n, m in modules if last(n) in targets]
    ensure(matching, ValueError, f"target_modules must name modules out of {[n for n, _ in modules]}; {targets} do not")
    ensure(all(hasattr(m, "out_features") for _, m in matching), ValueError,
           f"target_modules must name modules with out_features; {targets} name others too")
    freeze(model)
    new = []
    for name, module in matching:
        if MARK not in module._modules:
            attach(module, bottleneck)
            new.append(name)
    set_grad(itertools.chain.from_iterable(m.parameters() for m in model.modules() if isinstance(m, Adapter)), True)
    return new


# ------------------------------------------------------------- prompt tuning

class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        self.length = positive("num_virtual_tokens", num_virtual_tokens)
        self.model = freeze(model)
        table = model.get_input_embeddings()
        tokens = list(itertools.islice(itertools.cycle(range(table.weight.shape[0])), self.length))
        with torch.no_grad():
            rows = table(torch.tensor(tokens, device=table.weight.device))
        self.virtual = nn.Parameter(rows.detach().clone())

    def forward(self, input_ids, attention_mask):
        stack = functools.partial(torch.cat, dim=1)
        rows = len(input_ids)
        embeds = stack((self.virtual.expand(rows, *self.virtual.shape), self.model.get_input_embeddings()(input_ids)))
        mask = stack((attention_mask.new_zeros((rows, self.length)), attention_mask))
        return self.model(None, mask, inputs_embeds=embeds).narrow(1, self.length, input_ids.shape[1])


# ------------------------------------------------------------- (IA)3

def scaled(tensor, vector):
    return tensor * vector.reshape(-1, *[1] * (tensor.dim() - 1))


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        ensure(isinstance(base, nn.Linear), TypeError, f"base must be an nn.Linear, {type(base).__name__} is not")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features).to(base.weight))

    def forward(self, x):
        return self.base(x) * self.ia3

    def merge(self):
        linear = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None)
        for name, parameter in self.base.named_parameters(recurse=False):
            setattr(linear, name, nn.Parameter(scaled(parameter, self.ia3).detach()))
        return linear


# ------------------------------------------------------------- state and memory

def adapter_state_dict(model):
    return {name: p.detach().clone() for name, p in trainable_items(model).items()}


def load_adapter(model, state):
    own = trainable_items(model)
    missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    ensure(not missing, ValueError, f"state must hold all trainable tensors; it does not hold {missing}")
    ensure(not unexpected, ValueError, f"state must hold only trainable tensors; it holds {unexpected}")
    misshapen = {n: (tuple(state[n].shape), tuple(p.shape)) for n, p in own.items() if state[n].shape != p.shape}
    ensure(not misshapen, ValueError, f"state must hold tensors of the right shapes; name: (given, allowed) = {misshapen}")
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    ensure(trainable <= total, ValueError, f"trainable must be at most total = {total}, {trainable} is more")
    parts = {"weights": total * weight_bytes, "gradients": trainable * grad_bytes, "optimizer": trainable * optimizer_bytes}
    return parts | {"total": sum(parts.values())}
