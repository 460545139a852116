# RIGHT peft: very defensive, every argument checked with long messages, postconditions verified, nothing changed before the checks
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, order=True)
class ParameterCount:
    """How many numbers train and how many there are; trainable <= total always holds."""

    trainable: int
    total: int

    def __post_init__(self):
        if not 0 <= self.trainable <= self.total:
            raise RuntimeError(f"internal error: {self.trainable} of {self.total} parameters are trainable")


def _module(name, value):
    if not isinstance(value, nn.Module):
        raise TypeError(f"The argument '{name}' has to be an nn.Module, but a {type(value).__name__} was given.")


def _count(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"The argument '{name}' has to be an integer, but {value!r} was given. Allowed are 1, 2, 3, ...")
    if value < 1:
        raise ValueError(f"The argument '{name}' was given as {value}. Allowed are the integers 1, 2, 3, ...")


def _strings(name, value):
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"The argument '{name}' has to be a list of strings, but {value!r} was given. Did you mean [{value!r}]?")
    value = list(value)
    wrong = [v for v in value if not isinstance(v, str)]
    if wrong:
        raise TypeError(f"The argument '{name}' has to hold strings only, but it holds {wrong!r}.")
    return value


def _number(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"The argument '{name}' has to be a number, but {value!r} was given.")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"The argument '{name}' was given as {value}. Allowed are finite numbers that are not negative.")


def freeze(model):
    _module("model", model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if any(parameter.requires_grad for parameter in model.parameters()):
        raise RuntimeError("internal error: a parameter is not frozen")
    return model


def count_parameters(model):
    _module("model", model)
    trainable = 0
    total = 0
    counted = set()
    for _, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) in counted:
            continue  # a tied tensor, seen under another name
        counted.add(id(parameter))
        total += parameter.numel()
        if parameter.requires_grad:
            trainable += parameter.numel()
    return ParameterCount(trainable=trainable, total=total)


def apply_bitfit(model, also=()):
    _module("model", model)
    also = _strings("also", also)
    names = [name for name, _ in model.named_parameters()]
    bias_names = {name for name in names if name.rsplit(".", 1)[-1] == "bias"}
    if not bias_names:
        raise ValueError(
            f"The argument 'model' was given as a {type(model).__name__} without any bias; its parameters are {names}. "
            "Allowed are models that have at least one parameter whose last name part is 'bias'."
        )
    extra_names = {name for name in names if any(part in name for part in also)}
    freeze(model)
    trainable = []
    for name, parameter in model.named_parameters():
        if name in bias_names or name in extra_names:
            parameter.requires_grad_(True)
            trainable.append(name)
    return trainable


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        _count("hidden_size", hidden_size)
        _count("bottleneck", bottleneck)
        super().__init__()
        self.hidden_size = hidden_size
        self.down = nn.Linear(hidden_size, bottleneck, bias=True)
        self.up = nn.Linear(bottleneck, hidden_size, bias=True)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        expected = 2 * hidden_size * bottleneck + hidden_size + bottleneck
        if sum(p.numel() for p in self.parameters()) != expected:
            raise RuntimeError("internal error: an adapter has a wrong number of parameters")

    def forward(self, x):
        if x.shape[-1] != self.hidden_size:
            raise ValueError(f"The argument 'x' was given with shape {tuple(x.shape)}. Its last size has to be {self.hidden_size}.")
        return x + self.up(nn.functional.gelu(self.down(x)))


class AdaptedModule(nn.Module):
    def __init__(self, module, adapter):
        super().__init__()
        self.module = module
        self.adapter = adapter

    def forward(self, *args, **kwargs):
        output = self.module(*args, **kwargs)
        if not isinstance(output, torch.Tensor):
            raise TypeError(f"An adapter needs a tensor, but a {type(self.module).__name__} gave a {type(output).__name__}.")
        return self.adapter(output)


def _places(root):
    places = []

    def visit(parent, path):
        for key, child in parent._modules.items():
            if child is None:
                continue
            name = path + key
            places.append((parent, key, name, child))
            if isinstance(child, AdaptedModule):
                visit(child.module, name + ".")
            elif not isinstance(child, Adapter):
                visit(child, name + ".")

    visit(root, "")
    return places


def add_adapters(model, target_modules, bottleneck):
    # ---- everything is checked before anything is changed ----
    _module("model", model)
    targets = _strings("target_modules", target_modules)
    _count("bottleneck", bottleneck)
    places = _places(model)
    chosen = [place for place in places if place[1] in targets]
    if not chosen:
        raise ValueError(
            f"The argument 'target_modules' was given as {targets}, which is the last name part of no module. "
            f"The modules of this model are: {[place[2] for place in places]}."
        )
    for _, _, name, child in chosen:
        if not isinstance(child, AdaptedModule) and not hasattr(child, "out_features"):
            raise ValueError(
                f"The argument 'target_modules' was given as {targets}, which names {name}, a {type(child).__name__} "
                "that has no 'out_features'. Allowed are modules that tell their output width by 'out_features'."
            )
    # ---- freeze, then add ----
    freeze(model)
    adapted_of = {}
    names = []
    for parent, key, name, child in chosen:
        if isinstance(child, AdaptedModule) or parent._modules[key] is not child:
            continue
        if child not in adapted_of:
            adapter = Adapter(child.out_features, bottleneck)
            reference = next(child.parameters(), None)
            if reference is not None and reference.is_floating_point():
                adapter = adapter.to(device=reference.device, dtype=reference.dtype)
            adapted_of[child] = AdaptedModule(child, adapter)
            adapted_of[child].train(child.training)
        setattr(parent, key, adapted_of[child])
        names.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return names


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        _module("model", model)
        _count("num_virtual_tokens", num_virtual_tokens)
        if not callable(getattr(model, "get_input_embeddings", None)):
            raise TypeError(
                f"The argument 'model' was given as a {type(model).__name__} without get_input_embeddings(). "
                "Allowed are models that have this method."
            )
        super().__init__()
        self.num_virtual_tokens = num_virtual_tokens
        self.model = freeze(model)
        embeddings = model.get_input_embeddings()
        vocabulary_size = embeddings.weight.shape[0]
        candidates = [i for i in range(vocabulary_size) if i != getattr(embeddings, "padding_idx", None)]
        picks = [candidates[i % len(candidates)] for i in range(num_virtual_tokens)]
        with torch.no_grad():
            rows = embeddings(torch.tensor(picks, dtype=torch.long, device=embeddings.weight.device))
        self.prompt_embeddings = nn.Parameter(rows.detach().clone())

    def forward(self, input_ids, attention_mask):
        if input_ids.dim() != 2:
            raise ValueError(f"The argument 'input_ids' was given with shape {tuple(input_ids.shape)}. Allowed is (B, T).")
        if attention_mask.shape != input_ids.shape:
            raise ValueError(
                f"The argument 'attention_mask' was given with shape {tuple(attention_mask.shape)}. "
                f"Allowed is the shape of 'input_ids', {tuple(input_ids.shape)}."
            )
        batch_size, length = input_ids.shape
        token_embeddings = self.model.get_input_embeddings()(input_ids)
        prompt = self.prompt_embeddings.to(token_embeddings.dtype).unsqueeze(0).expand(batch_size, -1, -1)
        ones = torch.ones(batch_size, self.num_virtual_tokens, dtype=attention_mask.dtype, device=attention_mask.device)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, token_embeddings], dim=1),
            attention_mask=torch.cat([ones, attention_mask], dim=1),
        )
        if logits.shape[:2] != (batch_size, self.num_virtual_tokens + length):
            raise RuntimeError(f"internal error: the model gave logits of shape {tuple(logits.shape)}")
        return logits[:, self.num_virtual_tokens:, :]


class IA3Linear(nn.Module):
    def __init__(self, base):
        if not isinstance(base, nn.Linear):
            raise TypeError(f"The argument 'base' was given as a {type(base).__name__}. Allowed is an nn.Linear or a subclass.")
        super().__init__()
        self.base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features, dtype=base.weight.dtype, device=base.weight.device))

    def forward(self, x):
        return self.base(x) * self.ia3

    def merge(self):
        has_bias = self.base.bias is not None
        merged = nn.Linear(
            self.base.in_features, self.base.out_features, bias=has_bias,
            dtype=self.base.weight.dtype, device=self.base.weight.device,
        )
        with torch.no_grad():
            merged.weight.copy_(self.base.weight * self.ia3.reshape(-1, 1))
            if has_bias:
                merged.bias.copy_(self.base.bias * self.ia3)
        merged.train(self.training)
        return merged


def _trainable(model):
    _module("model", model)
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def adapter_state_dict(model):
    return {name: parameter.detach().clone() for name, parameter in _trainable(model).items()}


def load_adapter(model, state):
    own = _trainable(model)
    if not isinstance(state, Mapping):
        raise TypeError(f"The argument 'state' has to be a dict of tensors, but a {type(state).__name__} was given.")
    complaints = []
    for name in own:
        if name not in state:
            complaints.append(f"{name} is missing")
    for name, tensor in state.items():
        if name not in own:
            complaints.append(f"{name} is unexpected")
        elif not isinstance(tensor, torch.Tensor):
            raise TypeError(f"The argument 'state' has to hold tensors, but {name} is a {type(tensor).__name__}.")
        elif tensor.shape != own[name].shape:
            complaints.append(f"{name} was given with shape {tuple(tensor.shape)}, allowed is {tuple(own[name].shape)}")
    if complaints:
        raise ValueError("The argument 'state' does not fit the model, and nothing was loaded: " + "; ".join(complaints) + ".")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(state[name].to(device=parameter.device, dtype=parameter.dtype))


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    for name, value in (("total", total), ("trainable", trainable), ("weight_bytes", weight_bytes),
                        ("grad_bytes", grad_bytes), ("optimizer_bytes", optimizer_bytes)):
        _number(name, value)
    if trainable > total:
        raise ValueError(f"The argument 'trainable' was given as {trainable}. Allowed is at most 'total', which is {total}.")
    weights = total * weight_bytes
    gradients = trainable * grad_bytes
    optimizer = trainable * optimizer_bytes
    return {"weights": weights, "gradients": gradients, "optimizer": optimizer, "total": weights + gradients + optimizer}
