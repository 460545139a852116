# WRONG peft: a second add_adapters call puts another adapter behind a layer that has one
"""
---
title: Parameter-efficient fine-tuning
summary: >
  Annotated implementations of BitFit, Houlsby adapters, prompt tuning and (IA)^3
---
"""

import typing
from typing import Dict, Iterable, Iterator, List, Tuple

import torch
import torch.nn as nn


class ParameterCount(typing.NamedTuple):
    """Number of scalars, trainable and in total"""
    trainable: int
    total: int


def freeze(model: nn.Module) -> nn.Module:
    """## Freeze all parameters"""
    return model.requires_grad_(False)


def count_parameters(model: nn.Module) -> ParameterCount:
    """## Count scalars

    A set of parameters holds a tied parameter only once, because parameters are hashed by identity.
    """
    unique = {p for m in model.modules() for p in m._parameters.values() if p is not None}
    return ParameterCount(trainable=sum(p.numel() for p in unique if p.requires_grad),
                          total=sum(p.numel() for p in unique))


def apply_bitfit(model: nn.Module, also: Iterable[str] = ()) -> List[str]:
    """
    ## BitFit

    [BitFit](https://arxiv.org/abs/2106.10199) trains the biases only.
    """
    if isinstance(also, str):
        raise TypeError(f'`also` has to be a list of strings, not the string {also!r}')
    also = list(also)

    # Parameters that we want. Tied parameters have several names; one that matches is enough.
    biases, extra = set(), set()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if name.rpartition('.')[2] == 'bias':
            biases.add(parameter)
        if any(part in name for part in also):
            extra.add(parameter)
    if not biases:
        raise ValueError(f'`model` ({type(model).__name__}) has to have a parameter `bias`, and it has none')

    names = []
    for name, parameter in model.named_parameters():
        parameter.requires_grad = parameter in biases or parameter in extra
        if parameter.requires_grad:
            names.append(name)
    return names


class Adapter(nn.Module):
    """
    ## Adapter

    $$x + W_{up} \\, \\text{GELU}(W_{down} x + b_{down}) + b_{up}$$
    """

    def __init__(self, hidden_size: int, bottleneck: int):
        super().__init__()
        if not bottleneck >= 1:
            raise ValueError(f'`bottleneck` is {bottleneck}, it has to be at least 1')
        # $D \rightarrow m$
        self.down = nn.Linear(hidden_size, bottleneck)
        # $m \rightarrow D$, zeros
        self.up = nn.Linear(bottleneck, hidden_size)
        for parameter in self.up.parameters():
            nn.init.zeros_(parameter)
        self.activation = nn.GELU()

    def forward(self, x: torch.Tensor):
        # Keep the input for the residual connection
        residual = x
        x = self.down(x)
        x = self.activation(x)
        x = self.up(x)
        return residual + x


class Adapted(nn.Sequential):
    """
    ## A layer followed by its adapter
    """

    def __init__(self, layer: nn.Module, bottleneck: int):
        adapter = Adapter(layer.out_features, bottleneck)
        for parameter in layer.parameters():
            adapter.to(device=parameter.device, dtype=parameter.dtype)
            break
        super().__init__()
        self.add_module('layer', layer)
        self.add_module('adapter', adapter)
        self.out_features = layer.out_features


def _places(parent: nn.Module, prefix: str = '') -> Iterator[Tuple[nn.Module, str, str]]:
    """
    ### All places in the tree

    Yields parent, attribute and qualified name. It does not go into adapters.
    """
    for attribute, child in parent._modules.items():
        if child is None or isinstance(child, Adapter):
            continue
        name = prefix + attribute
        # The layer of an adapted layer goes by the name of the whole
        if not isinstance(parent, Adapted):
            yield parent, attribute, name
            yield from _places(child, name + '.')
        else:
            yield from _places(child, prefix)


def add_adapters(model: nn.Module, target_modules: Iterable[str], bottleneck: int) -> List[str]:
    """
    ## Insert adapters
    """
    if isinstance(target_modules, str):
        raise TypeError(f'`target_modules` has to be a list of strings, not the string {target_modules!r}')
    if bottleneck < 1:
        raise ValueError(f'`bottleneck` is {bottleneck}, it has to be at least 1')
    target_modules = set(target_modules)
    places = list(_places(model))
    targets = [place for place in places if place[1] in target_modules]
    if not targets:
        raise ValueError(f'`target_modules` {sorted(target_modules)} has to name some of {[p[2] for p in places]}')

    freeze(model)
    adapted: Dict[nn.Module, Adapted] = {}
    names = []
    for parent, attribute, name in targets:
        layer = getattr(parent, attribute)
        if layer not in adapted:
            adapted[layer] = Adapted(layer, bottleneck).train(layer.training)
        setattr(parent, attribute, adapted[layer])
        names.append(name)

    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return names


class PromptTuning(nn.Module):
    """
    ## Prompt tuning
    """

    def __init__(self, model: nn.Module, num_virtual_tokens: int):
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f'`num_virtual_tokens` is {num_virtual_tokens}, it has to be at least 1')
        self.model = freeze(model)
        self.num_virtual_tokens = num_virtual_tokens
        embeddings = model.get_input_embeddings()
        with torch.no_grad():
            # Tokens spread evenly over the vocabulary
            tokens = torch.linspace(0, embeddings.num_embeddings - 1, num_virtual_tokens).round().long()
            start = embeddings(tokens.to(embeddings.weight.device))
        self.prompt = nn.Parameter(start.clone())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor):
        # $[P; E] \in \mathbb{R}^{B \times (n + T) \times D}$
        embeddings = self.model.get_input_embeddings()(input_ids)
        prompts = self.prompt.repeat(input_ids.shape[0], 1, 1)
        mask = nn.functional.pad(attention_mask.long(), (self.num_virtual_tokens, 0), value=1)
        logits = self.model(inputs_embeds=torch.cat([prompts, embeddings], dim=1), attention_mask=mask)
        # Logits of the real positions
        return logits[:, self.num_virtual_tokens:]


class IA3Linear(nn.Module):
    """
    ## (IA)^3

    $$y = l \\odot (W x + b)$$
    """

    def __init__(self, base: nn.Linear):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f'`base` has to be an `nn.Linear`, not `{type(base).__name__}`')
        self.linear = freeze(base)
        self.ia3 = nn.Parameter(torch.ones_like(base.weight[:, 0]))

    def forward(self, x: torch.Tensor):
        return self.linear(x) * self.ia3

    def merge(self) -> nn.Linear:
        # $\text{diag}(l) W$ and $\text{diag}(l) b$
        with torch.no_grad():
            weight = torch.diag(self.ia3) @ self.linear.weight
            merged = nn.Linear(weight.shape[1], weight.shape[0], bias=self.linear.bias is not None,
                               dtype=weight.dtype, device=weight.device)
            merged.weight.copy_(weight)
            if merged.bias is not None:
                merged.bias.copy_(self.ia3 * self.linear.bias)
        return merged


def adapter_state_dict(model: nn.Module) -> Dict[str, torch.Tensor]:
    """## Trainable tensors by name"""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_adapter(model: nn.Module, state: Dict[str, torch.Tensor]):
    """## Load trainable tensors, all or none"""
    targets = adapter_state_dict(model)
    # Look at everything first
    for name in targets:
        if name not in state:
            raise ValueError(f'`state` lacks {name}, it has to hold {sorted(targets)}')
    for name, tensor in state.items():
        if name not in targets:
            raise ValueError(f'`state` holds {name}, it may hold only {sorted(targets)}')
        if tensor.shape != targets[name].shape:
            raise ValueError(f'`state` holds {name} with shape {tuple(tensor.shape)}, '
                             f'it has to be {tuple(targets[name].shape)}')
    # The detached tensors share their memory with the parameters
    for name, tensor in state.items():
        targets[name].copy_(tensor)


def training_memory(total: int, trainable: int, *, weight_bytes: int = 2, grad_bytes: int = 2,
                    optimizer_bytes: int = 12) -> Dict[str, int]:
    """## Bytes of the model states"""
    if trainable > total:
        raise ValueError(f'`trainable` is {trainable}, it has to be at most `total`, which is {total}')
    weights = total * weight_bytes
    gradients = trainable * grad_bytes
    optimizer = trainable * optimizer_bytes
    return {'weights': weights, 'gradients': gradients, 'optimizer': optimizer,
            'total': weights + gradients + optimizer}
