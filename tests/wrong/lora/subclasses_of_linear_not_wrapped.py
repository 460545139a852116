# WRONG lora: inject_lora compares type(child) is nn.Linear, so that subclasses of nn.Linear are passed over
import abc
import math

import torch
from torch import nn


class TunerMeta:
    """Every subclass declares `trainable=(...)`; the declaration is used by inject and by the state dict."""

    registry: dict = {}
    trainable: tuple = ()

    def __init_subclass__(cls, trainable=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if trainable is not None:
            cls.trainable = tuple(trainable)
            TunerMeta.registry[cls.__name__] = cls

    def factors(self):
        return {name: self._parameters[name] for name in self.trainable}


class Mergeable(abc.ABC):
    _merge_depth = 0

    @property
    def merged(self):
        return bool(self._merge_depth)

    @abc.abstractmethod
    def _fold(self, sign): ...

    def merge(self):
        if self._merge_depth == 0:
            self._fold(+1)
            self._merge_depth = 1

    def unmerge(self):
        if self._merge_depth == 1:
            self._fold(-1)
            self._merge_depth = 0


class CheckedArguments:
    @staticmethod
    def _check(base, rank, dropout):
        if not isinstance(base, nn.Linear):
            raise TypeError(f"'base' must be an instance of nn.Linear (got {type(base).__name__})")
        if rank < 1:
            raise ValueError(f"'rank' must be a natural number >= 1 (got {rank})")
        if dropout < 0.0 or dropout >= 1.0:
            raise ValueError(f"'dropout' must lie within [0, 1) (got {dropout})")


class LoRALinear(TunerMeta, Mergeable, CheckedArguments, nn.Module, trainable=("lora_A", "lora_B")):
    def __init__(self, base, rank, alpha, dropout=0.0):
        self._check(base, rank, dropout)
        nn.Module.__init__(self)
        self.add_module("base", base)
        for p in base.parameters(recurse=False):
            p.requires_grad_(False)
        for name, shape in zip(self.trainable, ((rank, base.in_features), (base.out_features, rank))):
            self.register_parameter(name, nn.Parameter(base.weight.data.new_zeros(shape)))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = float(alpha) / rank
        self.add_module("noise", nn.Dropout(dropout))

    def delta_weight(self):
        return torch.mm(self.lora_B, self.lora_A).mul(self.scaling)

    def _fold(self, sign):
        with torch.no_grad():
            self.base.weight.addmm_(self.lora_B, self.lora_A, alpha=sign * self.scaling)

    def forward(self, inputs):
        outputs = self.base(inputs)
        if not self.merged:
            outputs = outputs + self.scaling * ((self.noise(inputs) @ self.lora_A.mT) @ self.lora_B.mT)
        return outputs

    def as_linear(self):
        w = self.base.weight.detach().clone()
        if not self.merged:
            w.addmm_(self.lora_B.detach(), self.lora_A.detach(), alpha=self.scaling)
        lin = nn.Linear(w.shape[1], w.shape[0], bias=False, dtype=w.dtype, device=w.device)
        lin.weight.data = w
        if self.base.bias is not None:
            lin.bias = nn.Parameter(self.base.bias.detach().clone())
        lin.training = self.training
        return lin


def _tuners(model):
    kinds = tuple(TunerMeta.registry.values())
    for name, module in model.named_modules():
        if isinstance(module, kinds):
            yield name, module


def _slots(model):
    """Unique (parent, key) pairs in the order of the model."""
    for prefix, parent in model.named_modules():
        if isinstance(parent, TunerMeta):
            continue
        for key, child in parent._modules.items():
            if child is not None:
                yield parent, key, f"{prefix}.{key}" if prefix else key, child


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if isinstance(target_modules, str):
        raise TypeError(f"'target_modules' must be a list of str (got the str {target_modules!r})")
    target_modules = tuple(target_modules)
    owned = {t.base for _, t in _tuners(model)}
    linear, hits = {}, []
    for parent, key, name, child in _slots(model):
        if isinstance(child, LoRALinear) or type(child) is nn.Linear and child not in owned:
            linear[name] = (parent, key, child)
    rank_of = {name: i for i, (name, _) in enumerate(model.named_modules(remove_duplicate=False))}
    hits = sorted((n for n in linear if n.rsplit(".", 1)[-1] in target_modules), key=rank_of.__getitem__)
    if not hits:
        raise ValueError(f"'target_modules' must name linear layers among {list(linear)} (got {list(target_modules)})")
    for p in model.parameters():
        p.requires_grad_(False)
    done, fresh = {}, []
    for name in hits:
        parent, key, child = linear[name]
        if isinstance(child, LoRALinear):
            continue
        if child not in done:
            done[child] = LoRALinear(child, rank, alpha, dropout)
            done[child].train(child.training)
        setattr(parent, key, done[child])
        fresh.append(name)
    for _, tuner in _tuners(model):
        for p in tuner.factors().values():
            p.requires_grad_(True)
    return fresh


def lora_state_dict(model):
    return {
        (name + "." if name else "") + key: p.detach()
        for name, tuner in _tuners(model) for key, p in tuner.factors().items()
    }


class LoadError(ValueError):
    """A subclass of ValueError, with the offending names as an attribute."""

    def __init__(self, text, names):
        super().__init__(f"'state' {text}: {', '.join(names)}")
        self.names = names


def load_lora_state_dict(model, state):
    target = lora_state_dict(model)
    absent = [k for k in target if k not in state]
    if absent:
        raise LoadError("must hold every factor, these are missing", absent)
    alien = [k for k in state if k not in target]
    if alien:
        raise LoadError("must hold nothing but the factors, these are unexpected", alien)
    crooked = [k for k in target if target[k].shape != state[k].shape]
    if crooked:
        given = [f"{k} (got {tuple(state[k].shape)}, must be {tuple(target[k].shape)})" for k in crooked]
        raise LoadError("must have the shapes of the model", given)
    for k, v in target.items():
        v.copy_(state[k])


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return model.as_linear()
    done = {}
    for parent, key, _, child in list(_slots(model)):
        if isinstance(child, LoRALinear):
            done.setdefault(child, None)
            if done[child] is None:
                done[child] = child.as_linear()
            setattr(parent, key, done[child])
    return model
