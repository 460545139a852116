"""The checks of `double_dequantize`."""

import torch

from grader.checks import check, whole
from grader.checks.qlora.material import DoubleQuantized, spread, uniform


def drawn(rng, count: int, block_size: int) -> DoubleQuantized:
    """Drawn codes, scales and a mean, made without the learner's code. They stand for positive numbers."""
    codes = torch.randint(-127, 128, (count,), generator=rng).to(torch.int8)
    scales = uniform(rng, -(count // -block_size), 0.002, 0.02).float()
    return DoubleQuantized(codes, scales, uniform(rng, 1, 3, 5).float().squeeze(), block_size)


@check(
    "double_dequantize",
    2,
    (
        "Which two operations were done? Undo them in the other order.",
        "Each code times the scale of its block, plus the mean; in float32.",
        "q.codes.float() * q.scales.repeat_interleave(q.block_size)[: len(q.codes)] + q.mean",
    ),
)
def codes_times_scales_plus_the_mean(code, rng):
    """Each code is multiplied by the scale of its block, and the mean is added, in float32; the last block may be short."""
    size = whole(rng, 5, 9)
    none = drawn(rng, 3 * size, size)
    none.scales[whole(rng, 0, 2)] = 0
    return {
        "one block": code.double_dequantize(drawn(rng, size, size)),
        "several blocks, the last one short": code.double_dequantize(drawn(rng, 4 * size - 2, size)),
        "one of three blocks has the scale 0": code.double_dequantize(none),
    }


@check(
    "double_dequantize",
    2,
    (
        "How far from its constant may each number be?",
        "Half a step of its block at most. A block whose scale is 0 gives back the mean.",
        "double_dequantize(double_quantize(absmax)), with the same blocks in both",
    ),
)
def constants_come_back_within_half_a_step(code, rng):
    """What was double-quantised comes back as the nearest whole number of steps; equal numbers come back as they were."""
    size, value = whole(rng, 5, 9), whole(rng, 5, 40) / 16
    numbers, wide = spread(rng, 4 * size - 3, size), spread(rng, whole(rng, 262, 275), 256)
    return {
        f"numbers in blocks of {size}": code.double_dequantize(code.double_quantize(numbers, block_size=size)),
        "numbers in blocks of the usual size": code.double_dequantize(code.double_quantize(wide)),
        "equal numbers": code.double_dequantize(code.double_quantize(torch.full((size,), value))),
        "a single number": code.double_dequantize(code.double_quantize(torch.tensor([value]))),
    }
