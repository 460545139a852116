# WRONG lora: the tensors are copied in the same loop that checks them, so that a part is loaded when a later one is wrong
"""
---
title: Low-Rank Adaptation (LoRA)
summary: >
  Annotated implementation of LoRA from the paper
  LoRA: Low-Rank Adaptation of Large Language Models
---

# Low-Rank Adaptation (LoRA)

This is an implementation of Low-Rank Adaptation in [PyTorch](https://pytorch.org).

LoRA freezes the pretrained weights $W_0 \\in \\mathbb{R}^{d \\times k}$ and learns
$\\Delta W = \\frac{\\alpha}{r} B A$ with $B \\in \\mathbb{R}^{d \\times r}$, $A \\in \\mathbb{R}^{r \\times k}$.
"""

from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn


class LoRALinear(nn.Module):
    """
    ## LoRA Linear Layer

    $$h = W_0 x + b + \\frac{\\alpha}{r} B A \\, \\text{dropout}(x)$$
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0):
        """
        * `base` is the linear layer that we adapt
        * `rank` is the rank $r$ of the update
        * `alpha` is the scaling factor $\\alpha$
        * `dropout` is the probability of dropping an input of the update
        """
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f'`base` has to be an `nn.Linear`, not `{type(base).__name__}`')
        if not rank >= 1:
            raise ValueError(f'`rank` is {rank}, it has to be 1 or more')
        if not (0 <= dropout < 1):
            raise ValueError(f'`dropout` is {dropout}, it has to be in [0, 1)')

        # The frozen layer; neither weight nor bias get gradients
        self.base = base
        self.base.weight.requires_grad = False
        if self.base.bias is not None:
            self.base.bias.requires_grad = False

        # $\\frac{\\alpha}{r}$
        self.scaling = alpha / rank
        # Dropout on the input of the update
        self.dropout = nn.Dropout(dropout)

        # $A \\in \\mathbb{R}^{r \\times k}$
        self.lora_A = nn.Parameter(torch.empty((rank, base.in_features),
                                               dtype=base.weight.dtype, device=base.weight.device))
        # $B \\in \\mathbb{R}^{d \\times r}$
        self.lora_B = nn.Parameter(torch.empty((base.out_features, rank),
                                               dtype=base.weight.dtype, device=base.weight.device))

        with torch.no_grad():
            # Initialize $A$ similar to a weight matrix in a normal linear layer,
            # that is $\\mathcal{U}(-\\frac{1}{\\sqrt{k}}, \\frac{1}{\\sqrt{k}})$
            nn.init.kaiming_uniform_(self.lora_A, a=5 ** 0.5)
            # Initialize $B$ to $0$ so that $\\Delta W = BA$ is $0$ at initialization
            nn.init.zeros_(self.lora_B)

        # What `merge` has added to the weight; `None` when the update is outside
        self._added: Optional[torch.Tensor] = None

    @property
    def merged(self) -> bool:
        """Whether the update is part of the base's weight"""
        return self._added is not None

    def delta_weight(self) -> torch.Tensor:
        """ $\\Delta W = \\frac{\\alpha}{r} B A$ """
        return self.scaling * (self.lora_B @ self.lora_A)

    def merge(self):
        """ $W \\leftarrow W_0 + \\Delta W$ """
        if self._added is not None:
            return
        # Keep a copy: the factors may change before the update is taken out
        self._added = self.delta_weight().detach().clone()
        self.base.weight.data.add_(self._added)

    def unmerge(self):
        """ $W_0 \\leftarrow W - \\Delta W$ """
        if self._added is None:
            return
        self.base.weight.data.sub_(self._added.to(self.base.weight))
        self._added = None

    def forward(self, x: torch.Tensor):
        # Compute $W_0 x + b$
        result = self.base(x)
        # The update is in the weight already
        if self.merged:
            return result
        # Add $\\frac{\\alpha}{r} \\Delta W x = \\frac{\\alpha}{r} B A x$
        result = result + (self.dropout(x) @ self.lora_A.transpose(0, 1) @ self.lora_B.transpose(0, 1)) * self.scaling
        return result


def _places(module: nn.Module, prefix: str = '') -> Iterator[Tuple[nn.Module, str, str, nn.Module]]:
    """
    ### Walk over all places of the tree

    Yields `(parent, attribute, qualified name, child)`, without going into LoRA layers.
    """
    for name, child in module._modules.items():
        if child is None:
            continue
        path = f'{prefix}.{name}' if prefix else name
        yield module, name, path, child
        if not isinstance(child, LoRALinear):
            yield from _places(child, path)


def inject_lora(model: nn.Module, target_modules: Sequence[str], rank: int, alpha: float,
                dropout: float = 0.0) -> List[str]:
    """
    ## Replace linear layers by LoRA layers
    """
    if isinstance(target_modules, str):
        raise TypeError(f'`target_modules` is the string {target_modules!r}, it has to be a list of strings')

    # All linear layers, adapted or not. The list is complete before we change anything.
    linear = [place for place in _places(model) if isinstance(place[3], (nn.Linear, LoRALinear))]
    # The layers that are meant, by the last part of the name
    targets = [place for place in linear if place[1] in target_modules]
    if not targets:
        names = [path for _, _, path, _ in linear]
        raise ValueError(f'`target_modules` {list(target_modules)} matches none of the linear layers {names}')

    # Freeze everything
    for parameter in model.parameters():
        parameter.requires_grad = False

    # Bases of earlier calls, so that a module with two names gets a single adapter
    wrappers = {m.base: m for m in model.modules() if isinstance(m, LoRALinear)}
    names = []
    for parent, attribute, path, child in targets:
        if isinstance(child, LoRALinear):
            continue
        if child not in wrappers:
            wrappers[child] = LoRALinear(child, rank, alpha, dropout)
            wrappers[child].train(child.training)
        setattr(parent, attribute, wrappers[child])
        names.append(path)

    # Adapters train, the ones of earlier calls as well
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.lora_A.requires_grad = True
            module.lora_B.requires_grad = True

    return names


def _factors(model: nn.Module) -> Dict[str, nn.Parameter]:
    """All $A$ and $B$ of the model, by qualified name"""
    factors = {}
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            for letter in 'AB':
                key = f'lora_{letter}'
                factors[f'{name}.{key}' if name else key] = getattr(module, key)
    return factors


def lora_state_dict(model: nn.Module) -> Dict[str, torch.Tensor]:
    """
    ## The tensors to save
    """
    return {name: factor.detach().clone() for name, factor in _factors(model).items()}


def load_lora_state_dict(model: nn.Module, state: Dict[str, torch.Tensor]):
    """
    ## Load, all or nothing
    """
    factors = _factors(model)
    # First look at everything
    for name, factor in factors.items():
        if name not in state:
            raise ValueError(f'`state` lacks {name}; it has to hold exactly {list(factors)}')
        if tuple(state[name].shape) != tuple(factor.shape):
            raise ValueError(f'{name} in `state` has shape {tuple(state[name].shape)}, '
                             f'it has to be {tuple(factor.shape)}')
        factor.data.copy_(state[name])
    for name in state:
        if name not in factors:
            raise ValueError(f'`state` has {name}, which the model does not know; allowed are {list(factors)}')


def merge_lora(model: nn.Module) -> nn.Module:
    """
    ## Replace LoRA layers by plain linear layers
    """

    def plain(layer: LoRALinear) -> nn.Linear:
        weight = layer.base.weight.detach().clone()
        if not layer.merged:
            weight = weight + layer.delta_weight().detach().to(weight.dtype)
        linear = nn.Linear(layer.base.in_features, layer.base.out_features, bias=False, device='meta')
        linear.weight = nn.Parameter(weight, requires_grad=False)
        linear.bias = layer.base.bias
        linear.train(layer.training)
        return linear

    if isinstance(model, LoRALinear):
        return plain(model)
    finished: Dict[nn.Module, nn.Linear] = {}
    for parent, attribute, _, child in list(_places(model)):
        if isinstance(child, LoRALinear):
            if child not in finished:
                finished[child] = plain(child)
            setattr(parent, attribute, finished[child])
    return model
