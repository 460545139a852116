"""The checks of `nf4_levels`. Its levels are the same at each call, so they are seen through drawn numbers."""

import torch

from grader.checks import Unusable, check, rand, some


def levels_of(code) -> torch.Tensor:
    """The levels, if there are sixteen."""
    levels = code.nf4_levels()
    if not isinstance(levels, torch.Tensor) or levels.shape != (16,):
        what = f"shape {tuple(levels.shape)}" if isinstance(levels, torch.Tensor) else f"type {type(levels).__name__}"
        raise Unusable(f"nf4_levels() gives {what}, but the contract says a tensor of shape (16,)")
    return levels


@check(
    "nf4_levels",
    1,
    (
        "Four bits: how many levels? In which order does a table of codes stand?",
        "Sixteen levels, ascending, in float32. Divided by the largest, the ends are -1 and 1.",
        "levels = torch.cat([negative, zero, positive]).sort().values; (levels / levels.max()).float()",
    ),
)
def sixteen_levels_from_minus_one_to_one(code, rng):
    """There are sixteen levels in float32, ascending from -1 to 1."""
    levels, marks = levels_of(code), rand(rng, 15, dtype=torch.float32)
    return {
        "dtype": levels.dtype,
        "drawn numbers where a level is above the one before": torch.where(levels.diff() > 0, marks, 0.0),
        "the smallest and the largest, times a drawn number": torch.stack([levels[0], levels[-1]]) * marks[0],
    }


@check(
    "nf4_levels",
    1,
    (
        "A weight that is zero must stay zero. And there are fifteen other codes: an odd number.",
        "Seven levels are negative, one is exactly zero, eight are positive. So the code of 0 is 7.",
        "linspace(offset, 0.5, 9)[:-1] for the positive side, linspace(offset, 0.5, 8)[:-1] for the negative one",
    ),
)
def one_more_positive_than_negative(code, rng):
    """Seven levels are negative, the eighth is exactly zero, and eight are positive."""
    return {
        "signs of the levels, times drawn numbers": levels_of(code).sign() * rand(rng, 16, dtype=torch.float32).abs()
    }


@check(
    "nf4_levels",
    3,
    (
        "Weights are about normal. Where must levels lie so that each is used about equally often?",
        "At quantiles of the standard normal: evenly spaced probabilities from the offset down to 0.5, without the 0.5 itself.",
        "torch.distributions.Normal(0, 1).icdf(torch.linspace(offset, 0.5, 9)[:-1]) with offset = 1 - (1/30 + 1/32)/2",
    ),
)
def levels_are_quantiles_of_the_normal(code, rng):
    """The levels are the published ones: quantiles of the standard normal, eight above zero and seven below."""
    levels, order = levels_of(code), torch.tensor(some(rng, 16, range(16)))
    factors = 1 + torch.rand(16, generator=rng)
    return {"levels in a drawn order, times drawn numbers": levels[order].float() * factors}
