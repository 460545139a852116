# WRONG lora: lora_state_dict takes all parameters that require a gradient instead of lora_A and lora_B
import math
import numbers
from collections.abc import Iterable, Mapping

import torch
from torch import nn

_ALLOWED_BASE = "an instance of torch.nn.Linear (subclasses are fine)"


def _require_int(name, value, minimum):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"The argument '{name}' has to be an integer, but {value!r} of type {type(value).__name__} was given. "
            f"Allowed are integers that are at least {minimum}."
        )
    if value < minimum:
        raise ValueError(f"The argument '{name}' was given as {value}. Allowed are integers that are at least {minimum}.")
    return int(value)


def _require_real(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"The argument '{name}' has to be a real number, but {value!r} of type {type(value).__name__} was given.")
    if math.isnan(value) or math.isinf(value):
        raise ValueError(f"The argument '{name}' was given as {value}. Allowed are finite numbers only.")
    return float(value)


def _require_module(name, value):
    if not isinstance(value, nn.Module):
        raise TypeError(f"The argument '{name}' has to be an nn.Module, but {value!r} of type {type(value).__name__} was given.")


def _require_names(name, value):
    if isinstance(value, (str, bytes)):
        raise TypeError(
            f"The argument '{name}' has to be a list of strings, but the single string {value!r} was given. "
            f"A string would be taken letter by letter. Write [{value!r}] instead."
        )
    if not isinstance(value, Iterable):
        raise TypeError(f"The argument '{name}' has to be a list of strings, but {value!r} was given.")
    names = list(value)
    for entry in names:
        if not isinstance(entry, str):
            raise TypeError(f"The argument '{name}' has to hold strings only, but it holds {entry!r}.")
    return names


class LoRALinear(nn.Module):
    """A frozen linear layer with a trainable low-rank update beside it."""

    def __init__(self, base, rank, alpha, dropout=0.0):
        if not isinstance(base, nn.Linear):
            raise TypeError(f"The argument 'base' was given as a {type(base).__name__}. Allowed is {_ALLOWED_BASE}.")
        rank = _require_int("rank", rank, 1)
        alpha = _require_real("alpha", alpha)
        dropout = _require_real("dropout", dropout)
        if dropout < 0.0 or dropout >= 1.0:
            raise ValueError(f"The argument 'dropout' was given as {dropout}. Allowed are probabilities p with 0 <= p < 1.")
        super().__init__()
        self.base = base
        for parameter in base.parameters():
            parameter.requires_grad_(False)
        weight = base.weight
        lora_a = torch.empty(rank, base.in_features, dtype=weight.dtype, device=weight.device)
        nn.init.kaiming_uniform_(lora_a, a=math.sqrt(5))
        lora_b = torch.zeros(base.out_features, rank, dtype=weight.dtype, device=weight.device)
        self.lora_A = nn.Parameter(lora_a, requires_grad=True)
        self.lora_B = nn.Parameter(lora_b, requires_grad=True)
        self.rank = rank
        self.alpha = alpha
        self.scaling = alpha / rank
        self.lora_dropout = nn.Dropout(p=dropout)
        self._merged = False

    @property
    def merged(self):
        return self._merged

    def delta_weight(self):
        delta = self.scaling * (self.lora_B @ self.lora_A)
        if delta.shape != self.base.weight.shape:
            raise RuntimeError(f"internal error: update {tuple(delta.shape)}, weight {tuple(self.base.weight.shape)}")
        return delta

    def merge(self):
        """Add the update to base.weight. Does nothing when it is there already."""
        if self._merged:
            return
        with torch.no_grad():
            delta = self.delta_weight().to(dtype=self.base.weight.dtype, device=self.base.weight.device)
            self.base.weight.add_(delta)
        self._merged = True

    def unmerge(self):
        """Subtract the update from base.weight. Does nothing when it is not there."""
        if not self._merged:
            return
        with torch.no_grad():
            delta = self.delta_weight().to(dtype=self.base.weight.dtype, device=self.base.weight.device)
            self.base.weight.sub_(delta)
        self._merged = False

    def forward(self, x):
        if x.shape[-1] != self.base.in_features:
            raise ValueError(
                f"The argument 'x' was given with shape {tuple(x.shape)}. "
                f"Allowed are tensors whose last dimension is {self.base.in_features}."
            )
        result = self.base(x)
        if self._merged:
            return result
        dropped = self.lora_dropout(x)
        down = nn.functional.linear(dropped, self.lora_A)
        up = nn.functional.linear(down, self.lora_B)
        return result + self.scaling * up


def _collect_places(root):
    """List of (parent, key, qualified name, module). Modules inside a LoRALinear are not listed, its base least of all."""
    places = []

    def visit(parent, path):
        for key, module in parent._modules.items():
            if module is None:
                continue
            name = f"{path}.{key}" if path else key
            places.append((parent, key, name, module))
            if not isinstance(module, LoRALinear):
                visit(module, name)

    if not isinstance(root, LoRALinear):
        visit(root, "")
    return places


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    # ---- everything is checked before anything is changed ----
    _require_module("model", model)
    targets = _require_names("target_modules", target_modules)
    rank = _require_int("rank", rank, 1)
    alpha = _require_real("alpha", alpha)
    dropout = _require_real("dropout", dropout)
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"The argument 'dropout' was given as {dropout}. Allowed are probabilities p with 0 <= p < 1.")
    linear_places = [p for p in _collect_places(model) if isinstance(p[3], (nn.Linear, LoRALinear))]
    chosen = [p for p in linear_places if p[1] in targets]
    if not chosen:
        raise ValueError(
            f"The argument 'target_modules' was given as {targets}, which is the last name part of no linear layer. "
            f"The linear layers of this model are: {[p[2] for p in linear_places]}."
        )
    # ---- freeze ----
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    # ---- wrap ----
    wrapper_of = {id(m.base): m for m in model.modules() if isinstance(m, LoRALinear)}
    wrapped = []
    for parent, key, name, module in chosen:
        if isinstance(module, LoRALinear):
            continue
        wrapper = wrapper_of.get(id(module))
        if wrapper is None:
            wrapper = LoRALinear(module, rank, alpha, dropout)
            wrapper.train(module.training)
            wrapper_of[id(module)] = wrapper
        if parent._modules.get(key) is module:
            setattr(parent, key, wrapper)
            wrapped.append(name)
    # ---- unfreeze the factors, earlier ones included ----
    for wrapper in (m for m in model.modules() if isinstance(m, LoRALinear)):
        wrapper.lora_A.requires_grad_(True)
        wrapper.lora_B.requires_grad_(True)
        if wrapper.base.weight.requires_grad:
            raise RuntimeError("internal error: a base is not frozen")
    return wrapped


def _lora_parameters(model):
    _require_module("model", model)
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            prefix = name + "." if name else ""
            found[prefix + "lora_A"] = module.lora_A
            found[prefix + "lora_B"] = module.lora_B
    return found


def lora_state_dict(model):
    _require_module("model", model)
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_lora_state_dict(model, state):
    parameters = _lora_parameters(model)
    if not isinstance(state, Mapping):
        raise TypeError(f"The argument 'state' has to be a dict of tensors, but a {type(state).__name__} was given.")
    missing = [name for name in parameters if name not in state]
    unexpected = [name for name in state if name not in parameters]
    not_tensors = [name for name in parameters if name in state and not isinstance(state[name], torch.Tensor)]
    if not_tensors:
        raise TypeError(f"The argument 'state' has to hold tensors, but these are none: {not_tensors}.")
    misshapen = [
        f"{name} (given {tuple(state[name].shape)}, allowed {tuple(parameter.shape)})"
        for name, parameter in parameters.items()
        if name in state and state[name].shape != parameter.shape
    ]
    complaints = []
    if missing:
        complaints.append(f"these tensors are missing: {missing}")
    if unexpected:
        complaints.append(f"these tensors are unexpected: {unexpected}")
    if misshapen:
        complaints.append(f"these tensors have a wrong shape: {misshapen}")
    if complaints:
        raise ValueError("The argument 'state' does not fit the model, nothing was loaded; " + "; ".join(complaints) + ".")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(state[name].to(dtype=parameter.dtype, device=parameter.device))


def _to_plain_linear(layer):
    base = layer.base
    has_bias = base.bias is not None
    plain = nn.Linear(base.in_features, base.out_features, bias=has_bias, dtype=base.weight.dtype, device=base.weight.device)
    with torch.no_grad():
        weight = base.weight.clone()
        if not layer.merged:
            weight += layer.delta_weight().to(weight.dtype)
        plain.weight.copy_(weight)
        if has_bias:
            plain.bias.copy_(base.bias)
    plain.requires_grad_(False)
    plain.train(layer.training)
    return plain


def merge_lora(model):
    _require_module("model", model)
    if isinstance(model, LoRALinear):
        return _to_plain_linear(model)
    plain_of = {}
    for parent, key, _, module in _collect_places(model):
        if not isinstance(module, LoRALinear):
            continue
        if module not in plain_of:
            plain_of[module] = _to_plain_linear(module)
        setattr(parent, key, plain_of[module])
    if any(isinstance(m, LoRALinear) for m in model.modules()):
        raise RuntimeError("internal error: a LoRALinear is left")
    return model
