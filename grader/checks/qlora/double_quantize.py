"""The checks of `double_quantize`."""

import torch

from grader.checks import check, refusal, some, tried, whole
from grader.checks.qlora.material import double_fields, is_clear, spread


@check(
    "double_quantize",
    2,
    (
        "All constants are positive. What would half of the signed integers be good for?",
        "Take off the mean first. Then one step is max |x| / 127, and each number becomes the nearest whole number of steps.",
        "x = absmax - absmax.mean(); scale = x.abs().max() / 127; codes = torch.round(x / scale).to(torch.int8)",
    ),
)
def codes_are_steps_from_the_mean(code, rng):
    """In one block the codes are whole numbers of steps from the mean, signed 8-bit, and the farthest number gets 127
    or -127."""
    count = whole(rng, 17, 30)
    return double_fields(code.double_quantize(spread(rng, count, count), block_size=count))


@check(
    "double_quantize",
    2,
    (
        "How many means are there, and how many scales?",
        "One mean over all; each block has a scale of its own, from its own largest distance. The last block may be short.",
        "blocks = F.pad(x, (0, -len(x) % block_size)).view(-1, block_size); scales = blocks.abs().amax(dim=1) / 127",
    ),
)
def each_block_has_its_scale(code, rng):
    """With several blocks there is one mean over all and a scale for each block, the short last one too. 256 numbers
    make a block, if nothing is said."""
    size, count = whole(rng, 5, 9), whole(rng, 262, 275)
    usual = code.double_quantize(spread(rng, count, 256))
    return {
        f"in blocks of {size}": double_fields(code.double_quantize(spread(rng, 4 * size - 2, size), block_size=size)),
        "in blocks of the usual size": double_fields(usual) | {"block_size": int(usual.block_size)},
    }


def around(rng, size: int, middle: float) -> torch.Tensor:
    """Three blocks. Those at the ends lie above and below the middle, by as much; the one between holds the middle
    alone. So the mean is exact in float32."""
    while True:
        ends = torch.tensor(some(rng, size, range(1, 40))) / 64
        found = torch.cat([middle + ends, torch.full((size,), middle), middle - ends])
        if is_clear(found, size):
            return found


@check(
    "double_quantize",
    1,
    (
        "What is the step of a block in which all numbers equal the mean?",
        "It is 0, and 0 / 0 is NaN. Divide by 1 there; whatever the code, the mean comes back.",
        "blocks / scales.where(scales > 0, 1.0)[:, None]",
    ),
)
def equal_numbers_have_scale_0(code, rng):
    """A single number, and a block whose numbers all equal the mean, have the scale 0, and nothing becomes NaN."""
    size, middle = whole(rng, 4, 8), whole(rng, 8, 20) / 4
    among = around(rng, size, middle)
    one, block = (code.double_quantize(given, block_size=size) for given in (among[:1], among))
    return {
        "scale of a single number": one.scales,
        "its mean": torch.as_tensor(one.mean).float().flatten(),
        "scales of three blocks": block.scales,
        "their mean": torch.as_tensor(block.mean).float().flatten(),
        "codes that are not those of the block with scale 0": torch.cat([block.codes[:size], block.codes[2 * size :]]),
    }


@check(
    "double_quantize",
    1,
    (
        "Which constants have no mean, or none that helps?",
        "An empty tensor, NaN and infinity are a ValueError; so is a block size below 1.",
        'if not absmax.numel(): raise ValueError("absmax is empty") and so on',
    ),
)
def refuses_constants_that_are_not_finite(code, rng):
    """An empty tensor, a number that is not finite and a block size below 1 are a ValueError; blocks of one number are good."""
    count, size = whole(rng, 12, 20), whole(rng, 5, 9)
    numbers, below = spread(rng, count, size), -whole(rng, 1, 5)

    def bad(word, given=numbers, block_size=size):
        return lambda: refusal(ValueError, lambda: code.double_quantize(given, block_size=block_size), word)

    def with_one(value):
        given = numbers.clone()
        given[whole(rng, 0, count - 1)] = value
        return given

    def good(block_size):
        return lambda: double_fields(code.double_quantize(spread(rng, count, block_size), block_size=block_size))

    calls = {
        "block_size 0": bad("block_size", block_size=0),
        f"block_size {below}": bad("block_size", block_size=below),
        "an empty absmax": bad("absmax", numbers[:0]),
        "NaN in absmax": bad("absmax", with_one(float("nan"))),
        "infinity in absmax": bad("absmax", with_one(float("inf"))),
        "in blocks of one number": good(1),
        "in one block, larger than absmax": good(count + size),
    }
    return tried(rng, **calls)
