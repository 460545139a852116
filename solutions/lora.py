"""LoRA: low-rank adaptation of large language models (Hu et al., arXiv 2106.09685).

The pretrained weight W0 stays as it is. Beside it, LoRA learns an update of low rank:

    W = W0 + (alpha / r) · B A        B: (out, r)    A: (r, in)    r much smaller than in and out

Names follow Hugging Face PEFT: lora_A, lora_B, scaling, merge, unmerge.
"""

import math
import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


class LoRALinear(nn.Module):
    """A frozen linear layer with a trainable low-rank update beside it.

    forward(x) = base(x) + scaling · B A dropout(x)        (arXiv 2106.09685, eq. 3)

    In train mode dropout drops each entry of x on its own. In eval mode it does nothing.

    Attributes:
        base: the wrapped layer. Its weight and its bias are frozen.
        lora_A: parameter (rank, in_features), Kaiming-uniform with a = √5.
        lora_B: parameter (out_features, rank), zeros. So a new layer answers like its base.
        scaling: alpha / rank.
        merged: whether the update is folded into base.weight.

    Both parameters have the dtype and the device of base.weight.

    Raises:
        TypeError: base is not an nn.Linear.
        ValueError: rank is below 1, or dropout lies outside [0, 1).
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0):
        """Freeze the base, make the two factors, start with merged = False."""
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base must be an nn.Linear, got {type(base).__name__}")
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.base = base.requires_grad_(False)
        weight = base.weight
        self.lora_A = nn.Parameter(weight.new_empty(rank, base.in_features))
        self.lora_B = nn.Parameter(weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # U(-1/√in, 1/√in)
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.merged = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., in_features) -> (..., out_features), for any leading shape."""
        if self.merged:  # base.weight holds the update already
            return self.base(x)
        low_rank = F.linear(self.dropout(x), self.lora_A)  # (..., rank)
        return self.base(x) + self.scaling * F.linear(low_rank, self.lora_B)

    def delta_weight(self) -> torch.Tensor:
        """The update as one matrix: scaling · B A, shape (out_features, in_features)."""
        return self.scaling * (self.lora_B @ self.lora_A)

    @torch.no_grad()
    def merge(self) -> None:
        """Fold the update into base.weight. On a merged layer: does nothing."""
        if not self.merged:
            self.base.weight += self.delta_weight()
            self.merged = True

    @torch.no_grad()
    def unmerge(self) -> None:
        """Take the update out of base.weight again. On a layer that is not merged: does nothing."""
        if self.merged:
            self.base.weight -= self.delta_weight()
            self.merged = False


def inject_lora(
    model: nn.Module, target_modules: Sequence[str], rank: int, alpha: float, dropout: float = 0.0
) -> list[str]:
    """Freeze the model and put a LoRALinear in the place of every target layer.

    A target is an nn.Linear whose last name part is in target_modules: "q_proj" matches
    "layers.0.q_proj", but not "layers.0.my_q_proj". The model is changed in place. A layer that is
    wrapped already is not wrapped again, and its factors stay trainable.

    Returns:
        The qualified names of the layers wrapped by this call, in model order.

    Raises:
        ValueError: no layer, wrapped or not, matches. The message names the linear layers there are.
        TypeError: target_modules is a string.
    """
    if isinstance(target_modules, str):  # "q" in "q_proj" would be true
        raise TypeError(f"target_modules must be a list of names, got the string {target_modules!r}")
    layers = {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, LoRALinear))}
    bases = {name for name in layers if name.rpartition(".")[0] in layers}  # inside a LoRALinear
    layers = {name: module for name, module in layers.items() if name not in bases}
    targets = {name: m for name, m in layers.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(
            f"no linear layer matches target_modules={list(target_modules)}; "
            f"the model has {', '.join(layers) or 'none'}"
        )
    model.requires_grad_(False)
    wrapped = []
    for name, module in targets.items():
        if isinstance(module, nn.Linear):
            _replace(model, name, LoRALinear(module, rank, alpha, dropout))
            wrapped.append(name)
    for factor in _lora_parameters(model).values():
        factor.requires_grad_(True)
    return wrapped


def lora_state_dict(model: nn.Module) -> dict[str, torch.Tensor]:
    """The lora_A and lora_B tensors of the model alone, by qualified name, in their own dtype."""
    return {name: factor.detach() for name, factor in _lora_parameters(model).items()}


@torch.no_grad()
def load_lora_state_dict(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Copy the tensors of `lora_state_dict` into the parameters of the model, all of them or none.

    Raises:
        ValueError: a tensor is missing, unexpected or of another shape. The message names it, and
            the model is as it was.
    """
    factors = _lora_parameters(model)
    problems = [f"missing {name}" for name in factors if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in factors]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model needs {tuple(factor.shape)}"
        for name, factor in factors.items()
        if name in state and state[name].shape != factor.shape
    ]
    if problems:
        raise ValueError("state does not fit the model: " + "; ".join(problems))
    for name, factor in factors.items():
        factor.copy_(state[name])


def merge_lora(model: nn.Module) -> nn.Module:
    """Put a plain nn.Linear with the merged weight in the place of every LoRALinear.

    The result answers like the adapted model, without its cost. Works on merged layers too.
    Returns the model.
    """
    if isinstance(model, LoRALinear):
        model.merge()
        return model.base
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            if not module.merged and _is_tied(module.base, model):  # else the update would change the embedding, too
                warnings.warn(f"{name} was tied to the embedding. Merged, it has a weight of its own.", stacklevel=2)
                module.base.weight = nn.Parameter(module.base.weight.detach().clone(), requires_grad=False)
            module.merge()
            _replace(model, name, module.base)
    return model


def _is_tied(layer: nn.Linear, model: nn.Module) -> bool:
    """Whether an embedding of the model has the same weight."""
    return any(isinstance(module, nn.Embedding) and module.weight is layer.weight for module in model.modules())


def _replace(model: nn.Module, name: str, new: nn.Module) -> None:
    """Put a module in the place of the one with this qualified name."""
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)


def _lora_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Every lora_A and lora_B of the model by qualified name, in model order."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] in ("lora_A", "lora_B")
    }
