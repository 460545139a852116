"""The checks of `dequantize_nf4`."""

import math

import torch

from grader.checks import check, shuffled, some, whole
from grader.checks.qlora.material import LEVELS, Quantized, constants, is_settled, nibbles, packed, weight


def quantized(rng, *shape: int, block_size: int, dtype: torch.dtype = torch.float32) -> Quantized:
    """Drawn codes and constants, made without the learner's code."""
    count = math.prod(shape)
    absmax = constants(rng, -(count // -block_size)).float()
    return Quantized(packed(nibbles(rng, count)), absmax, torch.Size(shape), dtype, block_size)


@check(
    "dequantize_nf4",
    2,
    (
        "A byte holds two numbers. Which of them comes first?",
        "The high four bits are the first code. A code is an index into the levels, and the level is multiplied by absmax.",
        "torch.stack([q.codes >> 4, q.codes & 15], dim=1).flatten(), then nf4_levels()[codes.long()] * absmax",
    ),
)
def codes_become_levels_times_absmax(code, rng):
    """Each code becomes its level times the absmax of the block; the high four bits of a byte come first."""
    count = 2 * whole(rng, 10, 16)
    return {"numbers": code.dequantize_nf4(quantized(rng, count, block_size=count))}


@check(
    "dequantize_nf4",
    2,
    (
        "How many codes belong to one absmax? And how many codes hold a number at all?",
        "Each absmax is repeated block_size times, side by side. Whatever lies behind the last number is cut off.",
        "q.absmax.repeat_interleave(q.block_size)[:count] with count = math.prod(q.shape)",
    ),
)
def each_block_has_its_absmax(code, rng):
    """With several blocks, an odd block size, a short last block and an odd number of codes, each number gets the
    absmax of its block."""
    even, odd = 2 * whole(rng, 3, 5), 2 * whole(rng, 3, 5) + 1
    return {
        f"in blocks of {even}": code.dequantize_nf4(quantized(rng, 4 * even, block_size=even)),
        f"in blocks of {odd}, the last one short": code.dequantize_nf4(quantized(rng, 3 * odd + 3, block_size=odd)),
        "an odd number of codes": code.dequantize_nf4(quantized(rng, 3 * odd + 2, block_size=odd)),
        "in blocks of one number": code.dequantize_nf4(quantized(rng, 17, block_size=1)),
        "in one block, larger than the tensor": code.dequantize_nf4(quantized(rng, 19, block_size=20 + odd)),
    }


@check(
    "dequantize_nf4",
    1,
    (
        "The codes are a row of bytes. Who knows what the tensor looked like?",
        "q.shape and q.dtype do.",
        "return values.to(q.dtype).reshape(q.shape)",
    ),
)
def shape_and_dtype_come_back(code, rng):
    """The result has the shape and the dtype that q names, one number alone and half precision as well."""
    seen, size = {}, whole(rng, 5, 9)
    shapes = [(), (whole(rng, 17, 24),), (4, whole(rng, 5, 7)), (3, whole(rng, 2, 4), 5)]
    dtypes = shuffled(rng, [torch.bfloat16, torch.float16, torch.float64, torch.float32])
    for shape, dtype in zip(shapes, dtypes):
        seen[f"{dtype} of shape {shape}"] = code.dequantize_nf4(quantized(rng, *shape, block_size=size, dtype=dtype))
    return seen


def settled(rng, count: int, block_size: int, dtype: torch.dtype) -> Quantized:
    """Codes and constants whose products lie near no middle of two numbers of this dtype."""
    products, absmax = torch.zeros(16), []
    for _ in range(-(count // -block_size)):
        while True:
            constant = 0.5 + 3 * torch.rand(1, generator=rng)
            products = LEVELS * constant
            if is_settled(products, dtype):
                break
        absmax.append(constant)
    return Quantized(packed(nibbles(rng, count)), torch.cat(absmax), torch.Size([count]), dtype, block_size)


@check(
    "dequantize_nf4",
    1,
    (
        "In which dtype are level and absmax multiplied, if the tensor is in half precision?",
        "Multiply in float32 and convert at the end. If both factors are rounded before, the error grows to double.",
        "(levels[codes] * absmax).to(q.dtype), never levels.to(q.dtype)[codes] * absmax.to(q.dtype)",
    ),
)
def products_are_rounded_once(code, rng):
    """The product is computed in float32 and rounded once, to the dtype of the tensor."""
    size = whole(rng, 16, 22)
    return {
        f"numbers in {dtype}, as float32": code.dequantize_nf4(settled(rng, 2 * size, size, dtype)).float()
        for dtype in shuffled(rng, [torch.bfloat16, torch.float16])
    }


@check(
    "dequantize_nf4",
    2,
    (
        "What is lost by quantising, and what must not be lost?",
        "Each number comes back as the nearest level times its absmax; the largest of a block and a zero come back exactly.",
        "dequantize_nf4(quantize_nf4(weight)) with the same order of codes in both",
    ),
)
def what_was_quantised_comes_back(code, rng):
    """A tensor that was quantised comes back in its place, blocks of zeros exactly, and is then quantised without
    further loss."""
    size, (rows, columns) = whole(rng, 5, 8), some(rng, 2, range(5, 9))
    numbers = weight(rng, rows, columns, block_size=size)
    numbers.view(-1)[2 * size : 3 * size] = 0
    back = code.dequantize_nf4(code.quantize_nf4(numbers, block_size=size))
    again = code.dequantize_nf4(code.quantize_nf4(back, block_size=size))
    zeros = code.dequantize_nf4(code.quantize_nf4(torch.zeros(columns, rows), block_size=size))
    return {
        "numbers": back,
        "how many are exactly zero": int((back == 0).sum()),
        "numbers after a second time": again,
        "a tensor of zeros": zeros,
        "how many of it are exactly zero": int((zeros == 0).sum()),
    }
