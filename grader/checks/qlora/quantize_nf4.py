"""The checks of `quantize_nf4`."""

import torch

from grader.checks import check, refusal, shuffled, some, tried, whole
from grader.checks.qlora.material import MIDDLES, constants, fields, uniform, weight


@check(
    "quantize_nf4",
    2,
    (
        "The levels lie in [-1, 1]. What must be divided by what, before a level can be chosen?",
        "Divide the block by its largest absolute value; then take the index of the nearest level.",
        "torch.bucketize(block / absmax, (levels[1:] + levels[:-1]) / 2), with one constant for the block",
    ),
)
def each_number_gets_the_nearest_level(code, rng):
    """In one block each number over the absmax becomes the code of the nearest level, two codes a byte."""
    count = 2 * whole(rng, 9, 15)
    numbers = 4 * weight(rng, count, block_size=count)  # so that the absmax is nowhere near 1
    found = code.quantize_nf4(numbers, block_size=count)
    return {"codes": found.codes, "absmax": found.absmax}


@check(
    "quantize_nf4",
    3,
    (
        "A matrix of 5 × 7 in blocks of 8: in which block does the first number of row 1 lie?",
        "Blocks are cut from the flat, row-major tensor. They do not care for rows, and each has its own absmax.",
        "weight.reshape(-1), padded to a whole number of blocks, .view(-1, block_size).abs().amax(dim=1)",
    ),
)
def blocks_run_in_row_major_order(code, rng):
    """A matrix is cut into blocks across its rows, each with an absmax of its own. 64 numbers make a block, if
    nothing is said."""
    size = 2 * whole(rng, 3, 6)
    wide = weight(rng, 4, 2 * size + 1, block_size=size)  # no row holds a whole number of blocks
    kept, large = wide.clone(), weight(rng, 2 * whole(rng, 4, 5), whole(rng, 18, 23))
    found, usual = code.quantize_nf4(wide, block_size=size), code.quantize_nf4(large)
    return {
        f"in blocks of {size}": {"codes": found.codes, "absmax": found.absmax},
        "in blocks of the usual size": {
            "codes": usual.codes,
            "absmax": usual.absmax,
            "block_size": int(usual.block_size),
        },
        "the given weight afterwards": wide,
        "the given weight before": kept,
    }


@check(
    "quantize_nf4",
    2,
    (
        "A block of seven codes ends in the middle of a byte. What comes next?",
        "All codes stand in one row, so the next block goes on in the same byte. The last byte may need the code of 0, 7.",
        "codes = F.pad(codes, (0, len(codes) % 2), value=7); codes[0::2] << 4 | codes[1::2]",
    ),
)
def codes_run_on_across_odd_blocks(code, rng):
    """With blocks of an odd size and a short last block the codes run on; one code of 0 is added at the end if the
    count is odd."""
    seen = {}
    for number, rest in (("an odd number of codes", 2), ("an even number of codes", 1)):
        size = 2 * whole(rng, 3, 6) + 1
        numbers = weight(rng, 3 * size + rest + 2 * whole(rng, 0, 1), block_size=size)
        found = code.quantize_nf4(numbers, block_size=size)
        seen[f"{number}, in blocks of {size}"] = {"codes": found.codes, "absmax": found.absmax}
    return seen


@check(
    "quantize_nf4",
    1,
    (
        "What must be kept, so that the tensor can be put together again?",
        "The shape and the dtype of the weight, and the block size. absmax is in float32, whatever the weight is.",
        "Quantized(codes, absmax, weight.shape, weight.dtype, block_size)",
    ),
)
def keeps_shape_and_dtype(code, rng):
    """Tensors of any shape, one number alone as well, and of any floating dtype become codes and float32 constants."""
    seen, size = {}, whole(rng, 5, 9)
    shapes = [(), (whole(rng, 17, 30),), (3, whole(rng, 2, 4), 5)]
    for shape, dtype in zip(shapes, some(rng, 3, [torch.bfloat16, torch.float16, torch.float64])):
        found = code.quantize_nf4(weight(rng, *shape, block_size=size, dtype=dtype), block_size=size)
        seen[f"{dtype} of shape {shape}"] = fields(found)
    return seen


@check(
    "quantize_nf4",
    1,
    (
        "How do the numbers of weight.T lie in memory? And in which order does the contract read them?",
        "The order is that of the indices, row after row, as reshape(-1) gives it.",
        "weight.reshape(-1): it copies where it must",
    ),
)
def views_are_read_row_by_row(code, rng):
    """A transposed tensor, a slice and a parameter are read in the order of their indices."""
    rows, columns, size = whole(rng, 4, 6), whole(rng, 7, 9), whole(rng, 5, 8)
    numbers = weight(rng, rows, columns, block_size=size)
    every_second = torch.zeros(2 * rows, columns + 3)
    every_second[::2, 1:-2] = numbers
    views = {
        "a transposed tensor": numbers.T.contiguous().T,
        "a slice": every_second[::2, 1:-2],
        "a parameter": torch.nn.Parameter(numbers.T.contiguous()).T,
    }
    found = {name: code.quantize_nf4(views[name], block_size=size) for name in shuffled(rng, list(views))}
    return {name: {"codes": found[name].codes, "absmax": found[name].absmax} for name in views}


@check(
    "quantize_nf4",
    1,
    (
        "What is 0 / 0, and which code does it get?",
        "Divide by 1 where absmax is 0. Each number of such a block is 0, and its code is 7.",
        "blocks / absmax.where(absmax > 0, 1.0)[:, None]",
    ),
)
def a_block_of_zeros_has_codes_7(code, rng):
    """A block of zeros among others has the codes 7, and its absmax is 0. So has a tensor of zeros."""
    size = whole(rng, 5, 9)
    numbers = weight(rng, 5 * size - 2, block_size=size)
    for block in some(rng, 2, [1, 2, 3, 4]):
        numbers[block * size : (block + 1) * size] = 0
    found = code.quantize_nf4(numbers, block_size=size)
    zeros = code.quantize_nf4(torch.zeros(size), block_size=size)
    return {
        "codes": found.codes,
        "absmax": found.absmax,
        "codes of a tensor of zeros": zeros.codes,
        "its absmax": zeros.absmax,
    }


@check(
    "quantize_nf4",
    1,
    (
        "A bfloat16 number has three digits. How many has a quotient of two of them?",
        "Convert to float32 first, then divide and compare. Rounded quotients pass to the neighbouring level.",
        "values = weight.float().reshape(-1) at the beginning",
    ),
)
def half_precision_is_scaled_in_float32(code, rng):
    """Numbers in bfloat16 are divided and compared in float32, so that rounding moves none to another level."""
    size = whole(rng, 30, 40)
    blocks = [near_the_middles(rng, size, constant) for constant in constants(rng, 4).tolist()]
    found = code.quantize_nf4(torch.cat(blocks), block_size=size)
    return {"codes": found.codes, "absmax": found.absmax}


def near_the_middles(rng, size: int, constant: float) -> torch.Tensor:
    """A block in bfloat16. Over the constant its numbers lie beside middles: so near that a quotient in bfloat16 may
    pass them, and so far that one in float32 never does."""
    beside = constant * MIDDLES[torch.randint(15, (40 * size,), generator=rng)]
    numbers = (beside * (1 + uniform(rng, len(beside), -0.003, 0.003))).bfloat16()
    gap = (numbers.double()[:, None] / constant - MIDDLES).abs().amin(dim=1)
    return torch.cat([torch.tensor([constant]).bfloat16(), numbers[(gap > 2e-4) & (gap < 1.5e-3)][: size - 1]])


@check(
    "quantize_nf4",
    2,
    (
        "Which tensors have no absmax, or none that helps?",
        "Empty, NaN and infinity are a ValueError, an integer dtype is a TypeError, and a block has one number at least.",
        'if not weight.is_floating_point(): raise TypeError(f"weight must have a floating dtype, got {weight.dtype}") and so on',
    ),
)
def refuses_what_has_no_levels(code, rng):
    """A block size below 1, an empty tensor and a number that is not finite are a ValueError, integers a TypeError.
    Blocks of one number, or larger than the tensor, are good."""
    count, size = whole(rng, 17, 30), whole(rng, 5, 9)
    numbers, below = weight(rng, count, block_size=size), -whole(rng, 1, 5)
    large = weight(rng, count, block_size=count, dtype=torch.float16) * 2.0 ** whole(rng, 12, 13)

    def bad(kind, word, given=numbers, block_size=size):
        return lambda: refusal(kind, lambda: code.quantize_nf4(given, block_size=block_size), word)

    def with_one(value):
        given = numbers.clone()
        given[whole(rng, 0, count - 1)] = value
        return given

    def good(given, block_size):
        return lambda: fields(code.quantize_nf4(given, block_size=block_size))

    whole_numbers = some(rng, 1, [torch.int8, torch.uint8, torch.int32, torch.int64])[0]
    calls = {
        "block_size 0": bad(ValueError, "block_size", block_size=0),
        f"block_size {below}": bad(ValueError, "block_size", block_size=below),
        "NaN in the weight": bad(ValueError, "weight", with_one(float("nan"))),
        "infinity in the weight": bad(ValueError, "weight", with_one(float("inf"))),
        "minus infinity in float16": bad(ValueError, "weight", with_one(float("-inf")).half()),
        "an empty weight": bad(ValueError, "weight", numbers[:0]),
        "a weight of shape (3, 0)": bad(ValueError, "weight", torch.zeros(3, 0)),
        "integers": bad(TypeError, "weight", (20 * numbers).to(whole_numbers)),
        "truth values": bad(TypeError, "weight", numbers > 0),
        "in blocks of one number": good(weight(rng, count, block_size=1), 1),
        "in one block, larger than the tensor": good(weight(rng, count, block_size=count), count + size),
        "large numbers in float16": good(large, count),
    }
    return tried(rng, **calls)
