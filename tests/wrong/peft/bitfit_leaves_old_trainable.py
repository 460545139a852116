# WRONG peft: apply_bitfit does not freeze the other parameters, it only turns the biases on
"""
Parameter-Efficient Fine-Tuning (PEFT) utilities.

This module contains clean reference implementations of:

* parameter freezing and counting
* BitFit
* Houlsby bottleneck adapters
* Prompt tuning
* (IA)^3
* saving / loading of trainable parameters
* a memory estimate for training
"""

from __future__ import annotations

import logging
from typing import Dict, Iterable, List, NamedTuple, Sequence, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F

logger = logging.getLogger(__name__)


# =============================================================================
# Freezing and counting
# =============================================================================

class ParameterCount(NamedTuple):
    """Number of trainable and total parameters."""

    trainable: int
    total: int

    @property
    def percentage(self) -> float:
        """Share of trainable parameters in percent."""
        return 100.0 * self.trainable / max(1, self.total)


def freeze(model: nn.Module) -> nn.Module:
    """
    Freeze all parameters of a model.

    Args:
        model: The model to freeze (in place).

    Returns:
        The same model, for chaining.
    """
    for param in model.parameters():
        param.requires_grad = False
    return model


def count_parameters(model: nn.Module) -> ParameterCount:
    """
    Count parameters. Shared parameters are counted only once.

    Args:
        model: The model to inspect.

    Returns:
        A ``ParameterCount(trainable, total)``.
    """
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    return ParameterCount(trainable=trainable, total=total)


# =============================================================================
# BitFit
# =============================================================================

def apply_bitfit(model: nn.Module, also: Iterable[str] = ()) -> List[str]:
    """
    Train only the bias terms (plus parameters matching ``also``).

    Args:
        model: The model to modify.
        also: Substrings of qualified parameter names that should be trained as well.

    Returns:
        Names of trainable parameters in model order.

    Raises:
        TypeError: If ``also`` is a string.
        ValueError: If the model does not have any bias.
    """
    # Step 1: Validate inputs
    if isinstance(also, str):
        raise TypeError(f"`also` must be a list of strings, but got a string: {also!r}.")
    also = list(also)

    # Step 2: Find biases
    all_names = [name for name, _ in model.named_parameters()]
    bias_names = [name for name in all_names if name.split(".")[-1] == "bias"]
    if len(bias_names) == 0:
        raise ValueError(f"`model` must have at least one bias parameter, but only has: {all_names}.")

    # Step 3: Freeze everything, then unfreeze what we need
    trainable_names: List[str] = []
    for name, param in model.named_parameters():
        is_bias = name.split(".")[-1] == "bias"
        is_extra = any(substring in name for substring in also)
        if is_bias or is_extra:
            param.requires_grad = True
            trainable_names.append(name)
    return trainable_names


# =============================================================================
# Adapters
# =============================================================================

class Adapter(nn.Module):
    """
    Houlsby bottleneck adapter: ``x + up(gelu(down(x)))``.

    Args:
        hidden_size: Size of the hidden states (D).
        bottleneck: Size of the bottleneck (m).

    Raises:
        ValueError: If ``bottleneck`` is smaller than 1.
    """

    def __init__(self, hidden_size: int, bottleneck: int) -> None:
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"`bottleneck` must be >= 1, but got {bottleneck}.")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize so that the adapter is the identity."""
        nn.init.kaiming_uniform_(self.down.weight, nonlinearity="relu")
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the adapter with a residual connection."""
        return x + self.up(F.gelu(self.down(x)))


class ModuleWithAdapter(nn.Module):
    """
    Wraps an arbitrary module and applies an adapter to its output.

    Args:
        module: The (frozen) module.
        adapter: The adapter.
    """

    def __init__(self, module: nn.Module, adapter: Adapter) -> None:
        super().__init__()
        self.module = module
        self.adapter = adapter

    @property
    def out_features(self) -> int:
        return self.module.out_features

    def forward(self, *args, **kwargs) -> torch.Tensor:
        return self.adapter(self.module(*args, **kwargs))


def _collect(module: nn.Module, prefix: str = "") -> List[Tuple[nn.Module, str, str]]:
    """Collect ``(parent, attribute, qualified name)`` of all submodules, recursively."""
    result: List[Tuple[nn.Module, str, str]] = []
    for attribute, child in module._modules.items():
        if child is None or isinstance(child, Adapter):
            continue
        name = f"{prefix}.{attribute}" if prefix else attribute
        result.append((module, attribute, name))
        # A wrapped module keeps its name
        inner = child.module if isinstance(child, ModuleWithAdapter) else child
        result.extend(_collect(inner, name))
    return result


def add_adapters(model: nn.Module, target_modules: Sequence[str], bottleneck: int) -> List[str]:
    """
    Freeze the model and insert adapters after the target modules.

    Args:
        model: The model to modify (in place).
        target_modules: Last name parts of the modules to adapt.
        bottleneck: Bottleneck size of the adapters.

    Returns:
        Qualified names of the modules that received an adapter.

    Raises:
        TypeError: If ``target_modules`` is a string.
        ValueError: If nothing matches or ``bottleneck`` is smaller than 1.
    """
    # Step 1: Validate inputs
    if isinstance(target_modules, str):
        raise TypeError(f"`target_modules` must be a list of strings, but got a string: {target_modules!r}.")
    if bottleneck < 1:
        raise ValueError(f"`bottleneck` must be >= 1, but got {bottleneck}.")

    # Step 2: Find the target modules
    available = _collect(model)
    matches = [entry for entry in available if entry[1] in target_modules]
    if not matches:
        raise ValueError(
            f"`target_modules`={list(target_modules)} did not match any module. "
            f"Available modules: {[name for _, _, name in available]}"
        )

    # Step 3: Freeze the model
    freeze(model)

    # Step 4: Insert adapters
    wrappers: Dict[nn.Module, ModuleWithAdapter] = {}
    adapted_names: List[str] = []
    for parent, attribute, name in matches:
        child = parent._modules[attribute]
        if isinstance(child, ModuleWithAdapter):
            logger.debug("Module %s already has an adapter.", name)
            continue
        if child not in wrappers:
            adapter = Adapter(child.out_features, bottleneck)
            # Match dtype and device of the wrapped module
            reference = next(child.parameters(), None)
            if reference is not None:
                adapter = adapter.to(device=reference.device, dtype=reference.dtype)
            wrappers[child] = ModuleWithAdapter(child, adapter)
            wrappers[child].train(child.training)
        setattr(parent, attribute, wrappers[child])
        adapted_names.append(name)

    # Step 5: Only adapters are trainable (including earlier ones)
    for module in model.modules():
        if isinstance(module, Adapter):
            for param in module.parameters():
                param.requires_grad = True

    logger.info("Added %d adapters.", len(adapted_names))
    return adapted_names


# =============================================================================
# Prompt tuning
# =============================================================================

class PromptTuning(nn.Module):
    """
    Prompt tuning for causal language models.

    Args:
        model: A causal LM with ``get_input_embeddings()`` that accepts ``inputs_embeds``.
        num_virtual_tokens: Number of virtual tokens.

    Raises:
        ValueError: If ``num_virtual_tokens`` is smaller than 1.
    """

    def __init__(self, model: nn.Module, num_virtual_tokens: int) -> None:
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"`num_virtual_tokens` must be >= 1, but got {num_virtual_tokens}.")

        self.num_virtual_tokens = num_virtual_tokens
        self.model = freeze(model)

        # Initialize the prompt from random vocabulary embeddings
        embedding_layer = model.get_input_embeddings()
        vocab_size = embedding_layer.weight.size(0)
        random_ids = torch.randint(0, vocab_size, (num_virtual_tokens,), device=embedding_layer.weight.device)
        initial = embedding_layer(random_ids).detach().clone()
        self.prompt_embeddings = nn.Parameter(initial)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            input_ids: ``(B, T)``
            attention_mask: ``(B, T)``

        Returns:
            Logits of shape ``(B, T, V)`` for the real positions.
        """
        batch_size = input_ids.size(0)

        # Step 1: Embed the real tokens
        inputs_embeds = self.model.get_input_embeddings()(input_ids)

        # Step 2: Prepend the prompt
        prompts = self.prompt_embeddings.unsqueeze(0).expand(batch_size, -1, -1)
        inputs_embeds = torch.cat([prompts, inputs_embeds], dim=1)

        # Step 3: Extend the attention mask
        prompt_mask = torch.ones(
            batch_size, self.num_virtual_tokens, dtype=attention_mask.dtype, device=attention_mask.device
        )
        attention_mask = torch.cat([prompt_mask, attention_mask], dim=1)

        # Step 4: Forward pass
        outputs = self.model(inputs_embeds=inputs_embeds, attention_mask=attention_mask)
        logits = outputs.logits if hasattr(outputs, "logits") else outputs

        # Step 5: Drop the virtual positions
        return logits[:, self.num_virtual_tokens:, :]


# =============================================================================
# (IA)^3
# =============================================================================

class IA3Linear(nn.Module):
    """
    A frozen linear layer whose output is rescaled by a learned vector.

    Args:
        base: The linear layer.

    Raises:
        TypeError: If ``base`` is not an ``nn.Linear``.
    """

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"`base` must be an instance of nn.Linear, but got {type(base).__name__}.")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(
            torch.ones(base.out_features, device=base.weight.device, dtype=base.weight.dtype)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) * self.ia3

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """
        Returns:
            A plain ``nn.Linear`` that computes the same function.
        """
        merged = nn.Linear(
            self.base.in_features,
            self.base.out_features,
            bias=self.base.bias is not None,
            device=self.base.weight.device,
            dtype=self.base.weight.dtype,
        )
        merged.weight.copy_(self.base.weight * self.ia3.unsqueeze(1))
        if self.base.bias is not None:
            merged.bias.copy_(self.base.bias * self.ia3)
        return merged


# =============================================================================
# Saving and loading
# =============================================================================

def adapter_state_dict(model: nn.Module) -> Dict[str, torch.Tensor]:
    """
    Returns:
        Detached copies of all trainable parameters by qualified name.
    """
    return {name: param.detach().clone() for name, param in model.named_parameters() if param.requires_grad}


def load_adapter(model: nn.Module, state: Dict[str, torch.Tensor]) -> None:
    """
    Strictly load trainable parameters. Either everything is loaded or nothing.

    Raises:
        ValueError: If a tensor is missing, unexpected or has a wrong shape.
    """
    params = {name: param for name, param in model.named_parameters() if param.requires_grad}

    # Step 1: Validate keys
    missing = [name for name in params if name not in state]
    unexpected = [name for name in state if name not in params]
    if missing or unexpected:
        raise ValueError(f"`state` does not match the model. Missing: {missing}. Unexpected: {unexpected}.")

    # Step 2: Validate shapes
    for name, param in params.items():
        if state[name].shape != param.shape:
            raise ValueError(
                f"`state` has a wrong shape for '{name}': expected {tuple(param.shape)}, got {tuple(state[name].shape)}."
            )

    # Step 3: Copy
    with torch.no_grad():
        for name, param in params.items():
            param.copy_(state[name])


# =============================================================================
# Memory
# =============================================================================

def training_memory(
    total: int,
    trainable: int,
    *,
    weight_bytes: int = 2,
    grad_bytes: int = 2,
    optimizer_bytes: int = 12,
) -> Dict[str, int]:
    """
    Estimate the memory of the model states during training (without activations).

    Args:
        total: Number of all parameters.
        trainable: Number of trainable parameters.
        weight_bytes: Bytes per weight.
        grad_bytes: Bytes per gradient.
        optimizer_bytes: Bytes of optimizer state per trainable parameter.

    Returns:
        Dict with ``weights``, ``gradients``, ``optimizer`` and ``total`` in bytes.

    Raises:
        ValueError: If ``trainable`` is larger than ``total``.
    """
    if trainable > total:
        raise ValueError(f"`trainable` must not exceed `total`, but got trainable={trainable} and total={total}.")
    weights = total * weight_bytes
    gradients = trainable * grad_bytes
    optimizer = trainable * optimizer_bytes
    return {
        "weights": weights,
        "gradients": gradients,
        "optimizer": optimizer,
        "total": weights + gradients + optimizer,
    }
