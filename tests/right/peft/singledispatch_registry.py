# RIGHT peft: functools.singledispatch for the width and the wrapping of layers, a registry of argument checks
import functools
import types

import torch
import torch.nn as nn
import torch.nn.functional as F

CHECKS = {}


def check(*names):
    def register(function):
        for name in names:
            CHECKS[name] = function
        return function
    return register


@check("bottleneck", "num_virtual_tokens")
def _(name, value):
    if value < 1:
        raise ValueError(f"argument {name}: {value} given, 1 and more allowed")


@check("also", "target_modules")
def _(name, value):
    if isinstance(value, str):
        raise TypeError(f"argument {name}: string {value!r} given, list of strings allowed")


@check("base")
def _(name, value):
    if not isinstance(value, nn.Linear):
        raise TypeError(f"argument {name}: {type(value).__name__} given, nn.Linear allowed")


def checked(function):
    """Checks all arguments that have an entry in CHECKS."""
    names = function.__code__.co_varnames[:function.__code__.co_argcount]

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        for name, value in {**dict(zip(names, args)), **kwargs}.items():
            if name in CHECKS:
                CHECKS[name](name, value)
        return function(*args, **kwargs)
    return wrapper


class ParameterCount(types.SimpleNamespace):
    pass


def freeze(model):
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model


def count_parameters(model):
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return ParameterCount(trainable=sum(n for n, r in sizes if r), total=sum(n for n, _ in sizes))


@checked
def apply_bitfit(model, also=()):
    rules = [lambda name: name.split(".")[-1] == "bias", *(functools.partial(_contains, part) for part in also)]
    parameters = dict(model.named_parameters())
    if not any(map(rules[0], parameters)):
        raise ValueError(f"argument model: parameters {list(parameters)} given, at least one called bias needed")
    for name, parameter in parameters.items():
        parameter.requires_grad = any(rule(name) for rule in rules)
    return [name for name, parameter in parameters.items() if parameter.requires_grad]


def _contains(part, name):
    return part in name


class Adapter(nn.Module):
    @checked
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        self.up = nn.Linear(bottleneck, hidden_size)
        self.down = nn.Linear(hidden_size, bottleneck)
        torch.nn.init.zeros_(self.up.weight)
        torch.nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return self.up(F.gelu(self.down(x))) + x


class Followed(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, *args, **kwargs):
        return self.second(self.first(*args, **kwargs))


# ---------------------------------------------------------------- one function for each kind of module

@functools.singledispatch
def width(module):
    raise ValueError(f"argument target_modules: names a module without out_features ({type(module).__name__})")


@width.register
def _(module: nn.Module):
    if not hasattr(module, "out_features"):
        return width.dispatch(object)(module)
    return module.out_features


@functools.singledispatch
def subtree(module, prefix):
    """Yields the places (parent, key, name) below module."""
    for key, child in module._modules.items():
        if child is not None:
            yield module, key, prefix + key
            yield from subtree(child, prefix + key + ".")


@subtree.register
def _(module: Followed, prefix):
    yield from subtree(module.first, prefix)


@subtree.register
def _(module: Adapter, prefix):
    yield from ()


@functools.singledispatch
def followed(module, bottleneck):
    adapter = Adapter(width(module), bottleneck)
    for parameter in module.parameters():
        adapter.to(dtype=parameter.dtype, device=parameter.device)
        break
    return Followed(module, adapter).train(module.training)


@followed.register
def _(module: Followed, bottleneck):
    return module


@checked
def add_adapters(model, target_modules, bottleneck):
    places = list(subtree(model, ""))
    chosen = [place for place in places if place[1] in target_modules]
    if not chosen:
        raise ValueError(f"argument target_modules: {target_modules} given, there are only {[n for _, _, n in places]}")
    freeze(model)
    cache, names = {}, []
    for parent, key, name in chosen:
        old = parent._modules[key]
        if old not in cache:
            cache[old] = followed(old, bottleneck)
        if cache[old] is not old:
            setattr(parent, key, cache[old])
            names.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            for parameter in module.parameters():
                parameter.requires_grad = True
    return names


class PromptTuning(nn.Module):
    @checked
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        self.model = freeze(model)
        source = model.get_input_embeddings().weight.detach()
        index = torch.arange(num_virtual_tokens).remainder(source.shape[0]).to(source.device)
        self.prompt = nn.Parameter(torch.index_select(source, 0, index).clone())

    def forward(self, input_ids, attention_mask):
        embedded = self.model.get_input_embeddings()(input_ids)
        n = self.prompt.shape[0]
        prompt = torch.stack([self.prompt] * input_ids.shape[0])
        mask = F.pad(attention_mask, (n, 0), value=1)
        return self.model(inputs_embeds=torch.cat([prompt, embedded], 1), attention_mask=mask)[:, n:]


class IA3Linear(nn.Module):
    @checked
    def __init__(self, base):
        super().__init__()
        self.base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features).to(base.weight))

    def forward(self, x):
        return self.base(x) * self.ia3

    def merge(self):
        with torch.no_grad():
            new = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None)
            new.to(self.base.weight.device, self.base.weight.dtype)
            new.weight = nn.Parameter(self.ia3.unsqueeze(-1) * self.base.weight)
            if self.base.bias is not None:
                new.bias = nn.Parameter(self.ia3 * self.base.bias)
        return new


def _trainable(model):
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def adapter_state_dict(model):
    return {name: p.detach().clone() for name, p in _trainable(model).items()}


def load_adapter(model, state):
    own = _trainable(model)
    for name in {**own, **state}:
        given = tuple(state[name].shape) if name in state else "nothing"
        allowed = tuple(own[name].shape) if name in own else "nothing"
        if given != allowed:
            raise ValueError(f"argument state: {given} given at {name}, {allowed} allowed")
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"argument trainable: {trainable} given, at most total={total} allowed")
    sizes = {"weights": total * weight_bytes, "gradients": trainable * grad_bytes, "optimizer": trainable * optimizer_bytes}
    return {**sizes, "total": sum(sizes.values())}
