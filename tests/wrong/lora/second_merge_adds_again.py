# WRONG lora: merge has no guard, so that a second call adds the update once more
"""
LoRA (Low-Rank Adaptation) utilities
====================================

This module provides a clean, production-ready implementation of LoRA:

1. ``LoRALinear``            - wraps a frozen ``nn.Linear`` with a trainable low-rank update
2. ``inject_lora``           - injects LoRA layers into an existing model
3. ``lora_state_dict``       - extracts only the LoRA weights
4. ``load_lora_state_dict``  - strictly loads LoRA weights
5. ``merge_lora``            - folds LoRA weights into the base model for inference

Example
-------
>>> model = nn.Sequential(nn.Linear(8, 8))
>>> inject_lora(model, ["0"], rank=4, alpha=8)
['0']
"""

import logging
import math
from typing import Dict, List, Sequence, Tuple

import torch
import torch.nn as nn

logger = logging.getLogger(__name__)

LORA_A = "lora_A"
LORA_B = "lora_B"


class LoRALinear(nn.Module):
    """
    Linear layer augmented with a Low-Rank Adaptation.

    Args:
        base (nn.Linear): The pretrained linear layer. It is frozen in place.
        rank (int): Rank of the update. Must be >= 1.
        alpha (float): Scaling numerator; the update is multiplied by ``alpha / rank``.
        dropout (float, optional): Dropout probability on the LoRA input. Defaults to 0.0.

    Raises:
        TypeError: If ``base`` is not an ``nn.Linear``.
        ValueError: If ``rank`` or ``dropout`` are out of range.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()

        # Step 1: Validate inputs
        if not isinstance(base, nn.Linear):
            raise TypeError(f"`base` must be an instance of nn.Linear, but got {type(base).__name__}.")
        if rank < 1:
            raise ValueError(f"`rank` must be a positive integer (>= 1), but got {rank}.")
        if not (0.0 <= dropout < 1.0):
            raise ValueError(f"`dropout` must be in the range [0, 1), but got {dropout}.")

        # Step 2: Store configuration
        self.rank = rank
        self.alpha = alpha
        self.scaling = alpha / rank

        # Step 3: Freeze the base layer
        self.base = base
        for param in self.base.parameters():
            param.requires_grad = False

        # Step 4: Create the low-rank matrices
        factory_kwargs = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.lora_A = nn.Parameter(torch.empty((rank, base.in_features), **factory_kwargs))
        self.lora_B = nn.Parameter(torch.empty((base.out_features, rank), **factory_kwargs))

        # Step 5: Dropout (Identity if not needed)
        self.lora_dropout = nn.Dropout(p=dropout) if dropout > 0.0 else nn.Identity()

        # Step 6: Track merge state
        self.merged = False

        # Step 7: Initialize
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize A with Kaiming-uniform and B with zeros."""
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def delta_weight(self) -> torch.Tensor:
        """
        Compute the weight update.

        Returns:
            torch.Tensor: ``scaling * B @ A`` of shape ``(out_features, in_features)``.
        """
        return self.scaling * torch.matmul(self.lora_B, self.lora_A)

    @torch.no_grad()
    def merge(self) -> None:
        """Merge the LoRA update into the base weight (idempotent)."""
        self.base.weight.data.add_(self.delta_weight().data)
        self.merged = True

    @torch.no_grad()
    def unmerge(self) -> None:
        """Remove the LoRA update from the base weight (idempotent)."""
        if not self.merged:
            logger.debug("LoRA weights are not merged.")
            return
        self.base.weight.data.sub_(self.delta_weight().data)
        self.merged = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Forward pass.

        Args:
            x (torch.Tensor): Input of shape ``(..., in_features)``.

        Returns:
            torch.Tensor: Output of shape ``(..., out_features)``.
        """
        # Base (frozen) path
        base_output = self.base(x)

        # If merged, the base path already contains the update
        if self.merged:
            return base_output

        # LoRA path
        lora_output = self.lora_dropout(x)
        lora_output = torch.matmul(lora_output, self.lora_A.transpose(0, 1))
        lora_output = torch.matmul(lora_output, self.lora_B.transpose(0, 1))

        return base_output + lora_output * self.scaling

    def extra_repr(self) -> str:
        return f"rank={self.rank}, alpha={self.alpha}, scaling={self.scaling}, merged={self.merged}"


def _resolve_parent(model: nn.Module, qualified_name: str) -> Tuple[nn.Module, str]:
    """Return the parent module and the attribute name of ``qualified_name``."""
    parent_name, _, child_name = qualified_name.rpartition(".")
    parent = model.get_submodule(parent_name) if parent_name else model
    return parent, child_name


def _lora_prefixes(model: nn.Module) -> List[str]:
    """Return the qualified names of all LoRA layers, under every name that they have."""
    return [n for n, m in model.named_modules(remove_duplicate=False) if isinstance(m, LoRALinear)]


def inject_lora(
    model: nn.Module,
    target_modules: Sequence[str],
    rank: int,
    alpha: float,
    dropout: float = 0.0,
) -> List[str]:
    """
    Inject LoRA layers into ``model`` in place.

    Args:
        model (nn.Module): The model to modify.
        target_modules (Sequence[str]): Last name parts of the linear layers to wrap.
        rank (int): LoRA rank.
        alpha (float): LoRA alpha.
        dropout (float, optional): LoRA dropout. Defaults to 0.0.

    Returns:
        List[str]: Qualified names of the newly wrapped layers, in model order.

    Raises:
        TypeError: If ``target_modules`` is a string.
        ValueError: If no linear layer matches.
    """
    # Step 1: Validate
    if isinstance(target_modules, str):
        raise TypeError(f"`target_modules` must be a list of strings, but got a string: {target_modules!r}.")

    # Step 2: Find candidates (we do not look inside existing LoRA layers)
    existing_prefixes = tuple(f"{p}." if p else "" for p in _lora_prefixes(model))
    all_linear: List[str] = []
    to_wrap: List[str] = []
    num_matches = 0
    for name, module in model.named_modules(remove_duplicate=False):
        if existing_prefixes and name.startswith(existing_prefixes):
            continue
        is_lora = isinstance(module, LoRALinear)
        if not (is_lora or isinstance(module, nn.Linear)):
            continue
        all_linear.append(name)
        if name and name.split(".")[-1] in target_modules:
            num_matches += 1
            if not is_lora:
                to_wrap.append(name)

    if num_matches == 0:
        raise ValueError(
            f"`target_modules`={list(target_modules)} did not match any linear layer. "
            f"Available linear layers: {all_linear}"
        )

    # Step 3: Freeze the whole model
    for param in model.parameters():
        param.requires_grad = False

    # Step 4: Replace the layers
    cache: Dict[nn.Module, LoRALinear] = {m.base: m for m in model.modules() if isinstance(m, LoRALinear)}
    wrapped: List[str] = []
    for name in to_wrap:
        parent, child_name = _resolve_parent(model, name)
        child = getattr(parent, child_name)
        if isinstance(child, LoRALinear):
            # The parent is shared and was handled under another name.
            continue
        if child not in cache:
            cache[child] = LoRALinear(child, rank=rank, alpha=alpha, dropout=dropout)
            cache[child].train(child.training)
        setattr(parent, child_name, cache[child])
        wrapped.append(name)

    # Step 5: Make sure that all LoRA parameters (old and new) are trainable
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.lora_A.requires_grad = True
            module.lora_B.requires_grad = True

    logger.info("Injected LoRA into %d layers.", len(wrapped))
    return wrapped


def _lora_named_parameters(model: nn.Module) -> Dict[str, nn.Parameter]:
    """Collect all LoRA parameters by qualified name."""
    result: Dict[str, nn.Parameter] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            prefix = f"{name}." if name else ""
            result[prefix + LORA_A] = module.lora_A
            result[prefix + LORA_B] = module.lora_B
    return result


def lora_state_dict(model: nn.Module) -> Dict[str, torch.Tensor]:
    """
    Extract the LoRA weights.

    Returns:
        Dict[str, torch.Tensor]: Detached copies of all LoRA matrices.
    """
    return {name: param.detach().clone() for name, param in _lora_named_parameters(model).items()}


def load_lora_state_dict(model: nn.Module, state: Dict[str, torch.Tensor]) -> None:
    """
    Strictly load LoRA weights. Either everything is loaded or nothing.

    Raises:
        ValueError: If a tensor is missing, unexpected or has a wrong shape.
    """
    params = _lora_named_parameters(model)

    # Step 1: Check keys
    missing_keys = sorted(set(params) - set(state))
    unexpected_keys = sorted(set(state) - set(params))
    if missing_keys or unexpected_keys:
        raise ValueError(
            f"`state` does not match the model. Missing keys: {missing_keys}. Unexpected keys: {unexpected_keys}. "
            f"Expected keys: {sorted(params)}."
        )

    # Step 2: Check shapes
    for name, param in params.items():
        if tuple(param.shape) != tuple(state[name].shape):
            raise ValueError(
                f"`state` has a shape mismatch for '{name}': "
                f"expected {tuple(param.shape)}, but got {tuple(state[name].shape)}."
            )

    # Step 3: Copy
    with torch.no_grad():
        for name, param in params.items():
            param.copy_(state[name])


def _build_merged_linear(layer: LoRALinear) -> nn.Linear:
    """Create a plain ``nn.Linear`` that computes the same function as ``layer``."""
    base = layer.base
    merged_linear = nn.Linear(
        base.in_features,
        base.out_features,
        bias=base.bias is not None,
        device=base.weight.device,
        dtype=base.weight.dtype,
    )
    with torch.no_grad():
        merged_linear.weight.copy_(base.weight)
        if not layer.merged:
            merged_linear.weight.add_(layer.delta_weight())
        if base.bias is not None:
            merged_linear.bias.copy_(base.bias)
    return merged_linear.train(layer.training)


def merge_lora(model: nn.Module) -> nn.Module:
    """
    Replace every LoRA layer by a plain linear layer with merged weights.

    Returns:
        nn.Module: The model (or the merged layer, if ``model`` itself is a LoRA layer).
    """
    # Special case: the model itself is a LoRA layer
    if isinstance(model, LoRALinear):
        return _build_merged_linear(model)

    merged: Dict[nn.Module, nn.Linear] = {}
    for name in _lora_prefixes(model):
        parent, child_name = _resolve_parent(model, name)
        layer = getattr(parent, child_name)
        if not isinstance(layer, LoRALinear):
            continue
        if layer not in merged:
            merged[layer] = _build_merged_linear(layer)
        setattr(parent, child_name, merged[layer])
    return model
