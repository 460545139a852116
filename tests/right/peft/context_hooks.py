# RIGHT peft: context managers (everything_frozen_but), adapters in wrappers whose __getattr__ passes on to the layer
import contextlib
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

ParameterCount = namedtuple("ParameterCount", "trainable total")


@contextlib.contextmanager
def everything_frozen_but(model):
    """Freezes the model; what the body appends to the list trains when we leave. Nothing changes if the body raises."""
    before = [(p, p.requires_grad) for p in model.parameters()]
    chosen = []
    freeze(model)
    try:
        yield chosen
    except BaseException:
        for p, flag in before:
            p.requires_grad_(flag)
        raise
    for p in chosen:
        p.requires_grad_(True)


@contextlib.contextmanager
def argument(name, given, allowed):
    """Turns a failed assert inside into a ValueError about the argument."""
    try:
        yield
    except AssertionError:
        raise ValueError(f"{name}: given was {given}, allowed is {allowed}") from None


def freeze(model):
    for p in model.parameters():
        p.requires_grad_(False)
    return model


def count_parameters(model):
    trainable, total = 0, 0
    for p in model.parameters():
        if p.requires_grad:
            trainable += p.numel()
        total += p.numel()
    return ParameterCount(trainable, total)


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError(f"also: given was the string {also!r}, allowed is a list of strings")
    with everything_frozen_but(model) as chosen:
        names, biases = [], 0
        for name, p in model.named_parameters():
            is_bias = name.split(".")[-1] == "bias"
            biases += is_bias
            if is_bias or any(part in name for part in also):
                names.append(name)
                chosen.append(p)
        with argument("model", type(model).__name__ + " without biases", "a model with at least one bias"):
            if not biases:
                raise AssertionError
    return names


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        with argument("bottleneck", bottleneck, "1 or more"):
            if bottleneck < 1:
                raise AssertionError
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        with torch.no_grad():
            self.up.weight.zero_()
            self.up.bias.zero_()

    def forward(self, x):
        return x + self.up(F.gelu(self.down(x)))


class LayerThenAdapter(nn.Module):
    """Looks like the layer: unknown attributes (weight, in_features, ...) are taken from it."""

    def __init__(self, layer, bottleneck):
        super().__init__()
        self.layer = layer
        self.then = Adapter(layer.out_features, bottleneck)
        p = next(layer.parameters(), None)
        if p is not None:
            self.then.to(device=p.device, dtype=p.dtype)
        self.train(layer.training)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "layer":
                raise
            return getattr(super().__getattr__("layer"), name)

    def forward(self, *args, **kwargs):
        return self.then(self.layer(*args, **kwargs))


def _named(module, prefix=""):
    for key, child in list(module._modules.items()):
        if child is None:
            continue
        yield module, key, prefix + key, child
        if isinstance(child, LayerThenAdapter):
            child = child.layer
        yield from _named(child, prefix + key + ".")


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules: given was the string {target_modules!r}, allowed is a list of strings")
    with argument("bottleneck", bottleneck, "1 or more"):
        if bottleneck < 1:
            raise AssertionError
    slots = list(_named(model))
    hits = [slot for slot in slots if slot[1] in target_modules]
    with argument("target_modules", list(target_modules), "last name parts of " + ", ".join(n for _, _, n, _ in slots)):
        if not hits:
            raise AssertionError
    names = []
    with everything_frozen_but(model) as chosen:
        wrappers = {}
        for parent, key, name, child in hits:
            if isinstance(child, LayerThenAdapter) or isinstance(parent._modules[key], LayerThenAdapter):
                continue
            wrappers.setdefault(id(child), None)
            if wrappers[id(child)] is None:
                wrappers[id(child)] = LayerThenAdapter(child, bottleneck)
            parent._modules[key] = wrappers[id(child)]
            names.append(name)
        for module in model.modules():
            if isinstance(module, Adapter):
                chosen.extend(module.parameters())
    return names


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        with argument("num_virtual_tokens", num_virtual_tokens, "1 or more"):
            if num_virtual_tokens < 1:
                raise AssertionError
        self.causal_lm = freeze(model)
        with torch.no_grad():
            table = model.get_input_embeddings()
            every = table(torch.arange(table.weight.shape[0], device=table.weight.device))
            rows = every[torch.randint(every.shape[0], (num_virtual_tokens,))]
        self.virtual_tokens = nn.Parameter(rows)

    def forward(self, input_ids, attention_mask):
        n = self.virtual_tokens.shape[0]
        real = self.causal_lm.get_input_embeddings()(input_ids)
        everything = torch.cat((self.virtual_tokens.expand(real.shape[0], -1, -1), real), dim=-2)
        ones = torch.ones_like(input_ids[:, :1]).expand(-1, n).to(attention_mask.dtype)
        out = self.causal_lm(inputs_embeds=everything, attention_mask=torch.cat((ones, attention_mask), dim=-1))
        return out[:, n:]


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base: given was a {type(base).__name__}, allowed is an nn.Linear")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(len(base.weight), dtype=base.weight.dtype, device=base.weight.device))

    def forward(self, x):
        return self.base(x) * self.ia3

    @torch.no_grad()
    def merge(self):
        linear = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None,
                           dtype=self.base.weight.dtype, device=self.base.weight.device)
        for new, old in zip(linear.parameters(), (self.base.weight, self.base.bias)):
            new.copy_((old.T * self.ia3).T if old.dim() == 2 else old * self.ia3)
        return linear


def adapter_state_dict(model):
    out = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            out[name] = p.detach().clone()
    return out


def load_adapter(model, state):
    targets = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for name in targets:
        with argument("state", f"no tensor {name}", "all of " + ", ".join(targets)):
            if name not in state:
                raise AssertionError
    for name, tensor in state.items():
        with argument("state", f"a tensor {name}", "only " + ", ".join(targets)):
            if name not in targets:
                raise AssertionError
        with argument("state", f"{name} of shape {tuple(tensor.shape)}", f"shape {tuple(targets[name].shape)}"):
            if tensor.shape != targets[name].shape:
                raise AssertionError
    with torch.no_grad():
        for name, p in targets.items():
            p.copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    with argument("trainable", trainable, f"at most total = {total}"):
        if trainable > total:
            raise AssertionError
    memory = {"weights": total * weight_bytes, "gradients": trainable * grad_bytes, "optimizer": trainable * optimizer_bytes}
    return dict(memory, total=sum(memory.values()))
