"""What the checks of the LoRA problem share: layers of drawn sizes. The networks lie in `network`.

No coincidence hides a mistake: in ≠ out, rank ≥ 3, alpha ≠ rank, and the scaling is no whole number. It is exact in
every floating-point format, so how it is stored makes no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from grader.checks import rand, set_parameter, some, whole

SCALINGS = (0.75, 1.25, 1.5, 2.5, 3.5)


# --- one layer ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """The numbers of one layer. `pair` is what the constructor takes: rank and alpha."""

    n_in: int
    n_out: int
    rank: int
    scaling: float

    @property
    def alpha(self) -> float:
        return self.rank * self.scaling

    @property
    def pair(self) -> tuple[int, float]:
        return self.rank, self.alpha


def sizes(rng, square: bool = False) -> Sizes:
    """Drawn sizes of a layer: wide or tall, or square."""
    n_in, n_out = some(rng, 2, range(5, 14))
    return Sizes(n_in, n_in if square else n_out, whole(rng, 3, 4), some(rng, 1, SCALINGS)[0])


def linear(rng, n_in: int, n_out: int, bias=True, dtype=torch.float64, kind: type[nn.Linear] = nn.Linear) -> nn.Linear:
    """A linear layer with random weights."""
    layer = kind(n_in, n_out, bias=bias, dtype=dtype)
    for parameter in layer.parameters():
        parameter.data = rand(rng, *parameter.shape, dtype=dtype)
    return layer


def fresh(code, rng, size: Sizes, *, bias=True, dtype=torch.float64, **options):
    """A LoRALinear as the learner's code makes it."""
    return code.LoRALinear(linear(rng, size.n_in, size.n_out, bias, dtype), *size.pair, **options)


def fill(layer, rng, rank: int, scale: float = 1.0) -> None:
    """Random numbers into both factors, as if the layer had been trained."""
    set_parameter(layer, "lora_A", scale * rand(rng, rank, layer.base.in_features))
    set_parameter(layer, "lora_B", scale * rand(rng, layer.base.out_features, rank))


def trained(code, rng, size: Sizes, **options):
    """A LoRALinear with factors that are not zero."""
    layer = fresh(code, rng, size, **options)
    fill(layer, rng, size.rank)
    return layer


def own_tensors(layer) -> dict[str, torch.Tensor]:
    """Copies of the four tensors that the contract names, by name."""
    named = {
        "base.weight": layer.base.weight,
        "base.bias": layer.base.bias,
        "lora_A": layer.lora_A,
        "lora_B": layer.lora_B,
    }
    return {name: tensor.detach().clone() for name, tensor in named.items() if tensor is not None}


def about(value, middle: float, share: float) -> float:
    """A number that chance moves a little: the middle, if it is so near, else itself in tenths of the middle. So two runs agree."""
    part = float(value) / middle
    return middle if abs(part - 1) <= share else middle * round(part, 1)


def trainable_names(model) -> list[str]:
    return sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def answer(action: Callable):
    """What a good call gives, or the error in which it ends."""
    try:
        return action()
    except (ValueError, TypeError) as error:
        return f"raises {type(error).__name__}"
