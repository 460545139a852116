"""What the checks of the QLoRA problem share: numbers whose codes nobody can doubt, and layers that hold them.

A number near the middle of two levels may get either code, so none is drawn there. No coincidence hides a mistake: each block
has a constant of its own, the largest number of the first block is negative, and that of the second is positive.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from grader.checks import Unusable, rand, set_parameter, some, whole

LEVELS = torch.tensor(  # arXiv 2305.14314, appendix E
    [-1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0.0]
    + [0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0],
    dtype=torch.float64,
)
MIDDLES = (LEVELS[1:] + LEVELS[:-1]) / 2
SCALINGS = (0.75, 1.25, 1.5, 2.5, 3.5)  # no whole number, and exact in every floating-point format


@dataclass(frozen=True)
class Quantized:
    """A tensor in four bits, as the contract has it."""

    codes: torch.Tensor
    absmax: torch.Tensor
    shape: torch.Size
    dtype: torch.dtype
    block_size: int


@dataclass(frozen=True)
class DoubleQuantized:
    """Constants in eight bits, as the contract has them."""

    codes: torch.Tensor
    scales: torch.Tensor
    mean: torch.Tensor
    block_size: int


# --- numbers --------------------------------------------------------------------------------------


def uniform(rng, count: int, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=rng, dtype=torch.float64)


def nibbles(rng, count: int) -> torch.Tensor:
    """Drawn codes of levels. From 16 on, each one is among them."""
    codes = torch.cat([torch.arange(16), torch.randint(16, (max(count - 16, 0),), generator=rng)])
    return codes[torch.randperm(len(codes), generator=rng)][:count]


def shares(rng, count: int) -> torch.Tensor:
    """Numbers in (-1, 1), each clearly nearer to one level than to all others."""
    codes, ends = nibbles(rng, count), torch.tensor([0.98], dtype=torch.float64)
    low, high = torch.cat([-ends, MIDDLES])[codes], torch.cat([MIDDLES, ends])[codes]
    return low + (high - low) * uniform(rng, count, 0.15, 0.85)


def constants(rng, count: int, block_size: int = 256) -> torch.Tensor:
    """Positive numbers, exact in bfloat16. In eight bits none of them lies near the middle of two steps."""
    while True:
        many = torch.randint(40, 256, (count,), generator=rng)
        found = (many if count > 100 else torch.tensor(some(rng, count, range(40, 256)))).double() / 64
        if is_clear(found, block_size):
            return found


def is_clear(numbers: torch.Tensor, block_size: int, margin: float = 0.002) -> bool:
    """Whether rounding to steps in blocks is the same for all who compute a little otherwise."""
    for block in (numbers.double() - numbers.double().mean()).split(block_size):
        steps = block / block.abs().max().clamp_min(1e-12) * 127
        if ((steps - steps.floor() - 0.5).abs() < margin).any():
            return False
    return True


def spread(rng, count: int, block_size: int) -> torch.Tensor:
    """Drawn constants, each block with a middle and a width of its own. None lies near the middle of two steps, and all are far
    from zero."""
    blocks = -(count // -block_size)
    while True:
        middles, widths = (
            uniform(rng, blocks, *ends).repeat_interleave(block_size)[:count] for ends in ((3, 5), (0.2, 2))
        )
        found = (middles + widths * uniform(rng, count, -1, 1)).float()
        if is_clear(found, block_size):
            return found


def weight(rng, *shape: int, block_size: int = 64, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """A tensor whose codes in blocks of this size are beyond doubt. Each block has another largest number."""
    count = math.prod(shape)
    largest = constants(rng, -(count // -block_size))
    numbers = shares(rng, count) * largest.repeat_interleave(block_size)[:count]
    for block, constant in enumerate(largest):
        length = min(block_size, count - block * block_size)
        sign = (-1, 1)[block] if block < 2 else some(rng, 1, [-1, 1])[0]
        numbers[block * block_size + whole(rng, 0, length - 1)] = sign * constant
    return numbers.view(shape).to(dtype)


def packed(codes: torch.Tensor) -> torch.Tensor:
    """Codes of levels, two a byte. The code of 0 fills the last byte."""
    codes = torch.cat([codes, torch.full((len(codes) % 2,), 7)])
    return (16 * codes[0::2] + codes[1::2]).to(torch.uint8)


def is_settled(numbers: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether rounding to a dtype is the same for all who compute a little otherwise."""
    return torch.equal((numbers * (1 - 1e-5)).to(dtype), (numbers * (1 + 1e-5)).to(dtype))


def fields(q) -> dict:
    """What a quantised tensor holds."""
    return {
        "codes": q.codes,
        "absmax": q.absmax,
        "shape": list(q.shape),
        "dtype": q.dtype,
        "block_size": int(q.block_size),
    }


def double_fields(q) -> dict:
    """What double-quantised constants hold. The mean is one number, in whatever shape."""
    return {"codes": q.codes, "scales": q.scales, "mean": torch.as_tensor(q.mean).float().flatten()}


# --- layers ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """The numbers of one layer. `pair` is what a QLoRALinear takes: rank and alpha. Its weight has three blocks at least."""

    n_in: int
    n_out: int
    rank: int
    scaling: float

    @property
    def pair(self) -> tuple[int, float]:
        return self.rank, self.rank * self.scaling


def sizes(rng, square: bool = False) -> Sizes:
    """Drawn sizes of a layer: wide or tall, or square."""
    n_in, n_out = some(rng, 2, range(12, 18))
    return Sizes(n_in, n_in if square else n_out, whole(rng, 3, 4), some(rng, 1, SCALINGS)[0])


def linear(rng, n_in: int, n_out: int, bias=True, dtype=torch.float32, kind: type[nn.Linear] = nn.Linear) -> nn.Linear:
    """A linear layer whose weight has codes beyond doubt."""
    layer = kind(n_in, n_out, bias=bias, dtype=dtype)
    layer.weight.data = weight(rng, n_out, n_in, dtype=dtype)
    if bias:
        layer.bias.data = rand(rng, n_out, dtype=dtype)
    return layer


def nf4(code, rng, size: Sizes, **options):
    """An NF4Linear as the learner's code makes it."""
    return code.NF4Linear(linear(rng, size.n_in, size.n_out, **options))


def numbers_in(rng, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """An input: numbers that are exact in every floating-point format."""
    return ((8 * rand(rng, *shape)).round() / 8).to(dtype)


def fill(layer, rng, size: Sizes) -> None:
    """Random numbers into both factors, as if the layer had been trained."""
    set_parameter(layer, "lora_A", rand(rng, size.rank, size.n_in))
    set_parameter(layer, "lora_B", rand(rng, size.n_out, size.rank))


def fresh(code, rng, size: Sizes, dropout: float = 0.0, **options):
    """A QLoRALinear as the learner's code makes it."""
    return code.QLoRALinear(nf4(code, rng, size, **options), *size.pair, dropout)


def trained(code, rng, size: Sizes, **options):
    """A QLoRALinear with factors that are not zero."""
    layer = fresh(code, rng, size, **options)
    fill(layer, rng, size)
    return layer


def weight_of(layer) -> torch.Tensor:
    """The weight that an NF4Linear computes with."""
    found = layer.dequantized_weight()
    if not isinstance(found, torch.Tensor):
        raise Unusable(f"dequantized_weight() returns no tensor, but an object of type {type(found).__name__}")
    return found


def trainable_names(module: nn.Module) -> list[str]:
    return sorted(name for name, parameter in module.named_parameters() if parameter.requires_grad)


class LookAlike(nn.Module):
    """Has all that a linear layer has, and is none."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.in_features, self.out_features = n_in, n_out
        self.weight = nn.Parameter(torch.ones(n_out, n_in) / 8)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.weight.T + self.bias


class Kind(nn.Linear):
    """A subclass of nn.Linear."""
