# WRONG peft: add_adapters looks at direct children of the model only
import functools
import inspect

import torch
from torch import nn


class ParameterCount(tuple):
    """A pair with names."""

    def __new__(cls, trainable, total):
        return super().__new__(cls, (trainable, total))

    trainable = property(lambda self: self[0])
    total = property(lambda self: self[1])


class Checked:
    """class X(Checked, positive=("n",), linear=("base",)): those arguments of __init__ are checked first."""

    methods = {}

    def __init_subclass__(cls, positive=(), linear=(), **kwargs):
        super().__init_subclass__(**kwargs)
        Checked.methods[cls.__name__] = cls
        original = cls.__init__
        signature = inspect.signature(original)

        @functools.wraps(original)
        def __init__(self, *args, **kwargs):
            bound = signature.bind(self, *args, **kwargs)
            for name in positive:
                require_positive(name, bound.arguments[name])
            for name in linear:
                if not isinstance(bound.arguments[name], nn.Linear):
                    raise TypeError(f"'{name}' must be an nn.Linear (got {type(bound.arguments[name]).__name__})")
            original(self, *args, **kwargs)

        cls.__init__ = __init__


def require_positive(name, value):
    if value < 1:
        raise ValueError(f"'{name}' must be a natural number >= 1 (got {value})")


def require_list(name, value):
    if isinstance(value, str):
        raise TypeError(f"'{name}' must be a list of str (got the str {value!r})")
    return list(value)


class Frozen:
    """Mixin: `self.hold(name, module)` registers a module and freezes it."""

    def hold(self, name, module):
        self.add_module(name, freeze(module))


def freeze(model):
    return model.requires_grad_(requires_grad=False)


def count_parameters(model):
    counted = {}
    for module in model.modules():
        for p in module.parameters(recurse=False):
            counted[id(p)] = (p.numel(), p.requires_grad)
    return ParameterCount(sum(n for n, g in counted.values() if g), sum(n for n, g in counted.values()))


def apply_bitfit(model, also=()):
    also = require_list("also", also)
    order, by_name = [], {}
    for prefix, module in model.named_modules(remove_duplicate=False):
        for key, p in module._parameters.items():
            if p is not None:
                by_name[f"{prefix}.{key}".lstrip(".")] = (key, p)
    if not any(key == "bias" for key, _ in by_name.values()):
        raise ValueError(f"'model' must have a bias (got the parameters {list(by_name)})")
    wanted = {id(p) for name, (key, p) in by_name.items() if key == "bias" or any(a in name for a in also)}
    for name, p in model.named_parameters():
        p.requires_grad_(id(p) in wanted)
        if id(p) in wanted:
            order.append(name)
    return order


class Residual:
    def forward(self, x):
        return x + self.branch(x)


class Adapter(Checked, Residual, nn.Module, positive=("bottleneck",)):
    def __init__(self, hidden_size, bottleneck):
        nn.Module.__init__(self)
        self.down = nn.Linear(hidden_size, bottleneck)
        self.nonlinearity = nn.GELU()
        self.up = nn.utils.skip_init(nn.Linear, bottleneck, hidden_size)
        self.up.weight.data.zero_()
        self.up.bias.data.zero_()

    def branch(self, x):
        return self.up(self.nonlinearity(self.down(x)))


class Chain(Checked, nn.ModuleList):
    """[layer, adapter], run one after the other."""

    def __init__(self, layer, adapter):
        nn.ModuleList.__init__(self, [layer, adapter])
        self.training = layer.training

    def forward(self, *args, **kwargs):
        layer, adapter = self
        return adapter(layer(*args, **kwargs))


class Site:
    def __init__(self, parent, key, name):
        self.parent, self.key, self.name = parent, key, name

    def get(self):
        return self.parent._modules[self.key]

    def put(self, module):
        self.parent._modules[self.key] = module

    @classmethod
    def below(cls, parent, prefix=""):
        if isinstance(parent, Adapter):
            return
        if isinstance(parent, Chain):
            yield from cls.below(parent[0], prefix)
            return
        for key, child in parent._modules.items():
            if child is not None:
                yield cls(parent, key, prefix + key)


def add_adapters(model, target_modules, bottleneck):
    targets = require_list("target_modules", target_modules)
    require_positive("bottleneck", bottleneck)
    sites = list(Site.below(model))
    chosen = [site for site in sites if site.key in targets]
    if not chosen:
        raise ValueError(f"'target_modules' must name some of {[s.name for s in sites]} (got {targets})")
    freeze(model)
    made, names = {}, []
    for site in chosen:
        layer = site.get()
        if isinstance(layer, Chain):
            continue
        if layer not in made:
            adapter = Adapter(layer.out_features, bottleneck)
            like = next(layer.parameters(), None)
            made[layer] = Chain(layer, adapter if like is None else adapter.to(like.device, like.dtype))
        site.put(made[layer])
        names.append(site.name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return names


class PromptTuning(Checked, Frozen, nn.Module, positive=("num_virtual_tokens",)):
    def __init__(self, model, num_virtual_tokens):
        nn.Module.__init__(self)
        self.hold("causal", model)
        self.count = num_virtual_tokens
        self.prompts = nn.ParameterList([nn.Parameter(self.start())])

    @torch.no_grad()
    def start(self):
        embeddings = self.causal.get_input_embeddings()
        tokens = torch.randint(0, embeddings.weight.shape[0], (1, self.count), device=embeddings.weight.device)
        return embeddings(tokens)[0].clone()

    def forward(self, input_ids, attention_mask):
        prompt = self.prompts[0]
        vectors = self.causal.get_input_embeddings()(input_ids)
        vectors = torch.cat([prompt.unsqueeze(0).repeat(vectors.shape[0], 1, 1), vectors], dim=1)
        seen = torch.full((vectors.shape[0], self.count), 1, dtype=attention_mask.dtype, device=attention_mask.device)
        logits = self.causal(inputs_embeds=vectors, attention_mask=torch.cat([seen, attention_mask], dim=1))
        return logits[:, self.count:, :]


class IA3Linear(Checked, Frozen, nn.Module, linear=("base",)):
    def __init__(self, base):
        nn.Module.__init__(self)
        self.hold("base", base)
        self.register_parameter("ia3", nn.Parameter(base.weight.detach().new_ones((base.out_features,))))

    def forward(self, inputs):
        return self.base(inputs) * self.ia3

    def merge(self):
        base, by = self.base, self.ia3.detach()
        merged = nn.Linear(base.in_features, base.out_features, bias=False, device=base.weight.device, dtype=base.weight.dtype)
        merged.weight = nn.Parameter((base.weight.detach().t() * by).t().contiguous())
        if base.bias is not None:
            merged.bias = nn.Parameter(base.bias.detach() * by)
        return merged


def adapter_state_dict(model):
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


class LoadError(ValueError):
    pass


def load_adapter(model, state):
    own = adapter_state_dict(model)
    absent, alien = [k for k in own if k not in state], [k for k in state if k not in own]
    if absent:
        raise LoadError(f"'state' must hold all of {list(own)} (missing: {absent})")
    if alien:
        raise LoadError(f"'state' must hold nothing but {list(own)} (got {alien} too)")
    for k, v in own.items():
        if v.shape != state[k].shape:
            raise LoadError(f"'state' must hold {k} with shape {tuple(v.shape)} (got {tuple(state[k].shape)})")
    for k, v in own.items():
        v.copy_(state[k])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"'trainable' must be at most 'total' = {total} (got {trainable})")
    result = {"weights": total * weight_bytes}
    result.update(gradients=trainable * grad_bytes, optimizer=trainable * optimizer_bytes)
    result["total"] = sum(result.values())
    return result
