"""The checks of `NF4Linear`. How its tensors are called is free."""

from types import ModuleType

import torch
from torch import nn

from grader.checks import check, grad_of, refusal, shuffled, some, tried, whole
from grader.checks.qlora.material import (
    Kind,
    LookAlike,
    linear,
    nf4,
    numbers_in,
    sizes,
    trainable_names,
    weight,
    weight_of,
)


@check(
    "NF4Linear",
    2,
    (
        "Quantise twice: the weight in blocks of 64, and then the constants of these blocks in blocks of 256.",
        "dequantized_weight() goes back: the constants first, then the weight, as (out_features, in_features) in float32.",
        "absmax = double_dequantize(...); return dequantize_nf4(Quantized(self.codes, absmax, shape, torch.float32, 64))",
    ),
)
def weight_comes_back_in_float32(code, rng):
    """dequantized_weight() is the weight through both quantisations, in float32; in_features and out_features are
    those of the layer."""
    seen = {}
    for name, size in {"one layer": sizes(rng), "a square layer": sizes(rng, square=True)}.items():
        layer = nf4(code, rng, size)
        seen[name] = {
            "dequantized_weight()": weight_of(layer),
            "in_features and out_features": [int(layer.in_features), int(layer.out_features)],
        }
    return seen


@check(
    "NF4Linear",
    2,
    (
        "What does nn.Linear compute, and with which weight does this layer compute it?",
        "Expand the weight, multiply, add the bias if there is one. F.linear takes any leading shape.",
        "F.linear(x, self.dequantized_weight(), self.bias)",
    ),
)
def output_is_that_of_the_dequantised_weight(code, rng):
    """The output is x times the dequantised weight, plus the bias if there is one, for any leading shape."""
    size, (rows, tokens) = sizes(rng), some(rng, 2, [2, 3, 4])
    layer, bare = nf4(code, rng, size), nf4(code, rng, size, bias=False)
    shapes = [(size.n_in,), (rows, size.n_in), (rows, tokens, size.n_in), (0, size.n_in)]
    turned = numbers_in(rng, tokens, rows, size.n_in).transpose(0, 1)
    return {f"output for {shape}": layer(numbers_in(rng, *shape)) for shape in shapes} | {
        "output for a transposed x": layer(turned),
        "output without bias": bare(numbers_in(rng, rows, size.n_in)),
    }


@check(
    "NF4Linear",
    2,
    (
        "The layers before need a gradient. Does it pass through your layer? And what in it may train?",
        "Nothing in the layer requires a gradient, its bias included, but x must not be detached.",
        "nn.Parameter(bias, requires_grad=False); F.linear(x, ...) without torch.no_grad()",
    ),
)
def gradient_passes_to_x_alone(code, rng):
    """x gets the gradient of the formula, in train and in eval mode. The bias is a parameter, or None, and nothing trains."""
    size, seen = sizes(rng), {}
    old = linear(rng, size.n_in, size.n_out)
    layer, bare = code.NF4Linear(old), nf4(code, rng, size, bias=False)
    for mode in ("train", "eval"):
        x = numbers_in(rng, 3, size.n_in).requires_grad_()
        y = layer.train(mode == "train")(x)
        if y.requires_grad:
            y.square().sum().backward()
        seen[f"gradient of x, {mode} mode"] = grad_of(x)
    return seen | {
        "gradient of the weight that was quantised": grad_of(old.weight),
        "trainable": trainable_names(layer) + trainable_names(bare),
        "bias": dict(layer.named_parameters()).get("bias", "no parameter"),
        "bias of a layer without bias": "None" if bare.bias is None else "something",
    }


@check(
    "NF4Linear",
    2,
    (
        "A model in bfloat16 hands over x in bfloat16. What must come back, and what if the bias is in float32?",
        "Convert the expanded weight and the bias to x.dtype in forward.",
        "F.linear(x, self.dequantized_weight().to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))",
    ),
)
def answers_in_the_dtype_of_x(code, rng):
    """The output and the gradient of x have the dtype of x, whatever the dtype of the bias."""
    seen, dtypes = {}, [torch.float32, torch.bfloat16, torch.float16, torch.float64]
    for dtype, other in zip(dtypes, [dtypes[whole(rng, 1, 2)], torch.float32, torch.float32, torch.bfloat16]):
        size = sizes(rng)
        layer, x = nf4(code, rng, size, dtype=other), numbers_in(rng, 3, size.n_in, dtype=dtype).requires_grad_()
        y = layer(x)
        if y.requires_grad:
            y.sum().backward()
        seen[f"x in {dtype}, the layer quantised from {other}"] = {"output": y, "gradient of x": grad_of(x)}
    return seen


@check(
    "NF4Linear",
    1,
    (
        "A layer in bfloat16 is quantised. In which dtype is its weight expanded?",
        "Always in float32. If it goes through the dtype of the old weight, it is rounded once more.",
        "Quantized(self.codes, absmax, shape, torch.float32, 64), not weight.dtype",
    ),
)
def half_precision_layers_expand_to_float32(code, rng):
    """The weight of a layer that came in half precision is expanded in float32, without the rounding of its old dtype."""
    seen = {}
    for dtype in shuffled(rng, [torch.bfloat16, torch.float16, torch.float64]):
        size = sizes(rng)
        layer = nf4(code, rng, size, dtype=dtype)
        seen[f"quantised from {dtype}"] = {
            "dequantized_weight()": weight_of(layer),
            "output for x in float32": layer(numbers_in(rng, 2, size.n_in)),
        }
    return dict(sorted(seen.items()))


def tensors_in(layer: nn.Module) -> list[torch.Tensor]:
    """The tensors that a module holds: parameters, buffers, and what lies in its attributes and in lists and objects there."""
    found, seen, left = [], set(), [layer]
    while left and len(seen) < 2000:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, (type, ModuleType)):
            continue
        seen.add(id(thing))
        if isinstance(thing, torch.Tensor):
            found.append(thing)
        elif isinstance(thing, dict):
            left += thing.values()
        elif isinstance(thing, (list, tuple, set)):
            left += thing
        else:
            left += getattr(thing, "__dict__", {}).values()
    return found


def bytes_of(tensors: list[torch.Tensor]) -> int:
    """The bytes of these tensors, those of one memory counted once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


@check(
    "NF4Linear",
    2,
    (
        "Add up all that the layer holds after a call of forward. How many bits is that for each number of the weight?",
        "Two codes a byte, 8 bits for each 64 numbers, a float32 for each 256 of these. No float weight, not even a cached one.",
        "register_buffer for the codes and the constants; expand the weight in each forward, and do not keep it",
    ),
)
def holds_four_bits_a_number(code, rng):
    """A larger layer holds about half a byte for each number, before and after forward, as buffers, and its constants in blocks
    of 256."""
    n_in, n_out = whole(rng, 128, 136), whole(rng, 131, 140)  # more than 256 blocks of 64
    layer, count = code.NF4Linear(linear(rng, n_in, n_out, bias=False)), n_in * n_out
    buffers = sum(buffer.nbytes for buffer in layer.buffers())
    seen = {"output": layer(numbers_in(rng, 2, n_in)), "some rows of the weight": weight_of(layer)[:: whole(rng, 5, 9)]}
    held = bytes_of(tensors_in(layer))
    return seen | {
        "numbers of the weight": count,
        "buffers of at least 4 bits a number": buffers >= count / 2,
        "buffers of at most 6 bits a number": buffers <= 6 / 8 * count,
        "a float copy, or more, after a call": held >= 2 * count,
        "bytes that it holds after a call": about_half(held, count),
    }


def about_half(held: int, count: int) -> str:
    """In words, since small tables beside the codes are free."""
    return "fewer than a copy in half precision takes" if held < 2 * count else f"{held / count:.1f} for each number"


@check(
    "NF4Linear",
    2,
    (
        "A checkpoint holds parameters and buffers. What else does your forward need?",
        "Register the codes and all constants as buffers, and read them anew in each forward.",
        "self.register_buffer(name, tensor) for codes, constants, scales and mean",
    ),
)
def state_dict_loads_into_another_layer(code, rng):
    """The state dict of a layer makes another one of the same sizes, one that was used before, give the same output."""
    seen = {}
    for bias in shuffled(rng, [True, False]):
        size = sizes(rng)
        one, other = nf4(code, rng, size, bias=bias), nf4(code, rng, size, bias=bias)
        x = numbers_in(rng, 3, size.n_in)
        used = other(x)
        other.load_state_dict({name: tensor.clone() for name, tensor in one.state_dict().items()})
        seen["with a bias" if bias else "without bias"] = {
            "output before": used,
            "output of the other layer then": other(x),
            "its dequantized_weight()": weight_of(other),
            "output of the first one": one(x),
        }
    return dict(sorted(seen.items()))


@check(
    "NF4Linear",
    1,
    (
        "Many modules have a weight and in_features. Which of them compute x Wᵀ + b?",
        "What is no nn.Linear is a TypeError that names the argument. A subclass of nn.Linear is an nn.Linear.",
        'if not isinstance(linear, nn.Linear): raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")',
    ),
)
def refuses_another_base(code, rng):
    """What is no nn.Linear is a TypeError; subclasses of nn.Linear are good."""
    size = sizes(rng)
    x, subclass = numbers_in(rng, 2, size.n_in), linear(rng, size.n_in, size.n_out, kind=Kind)
    others = [nn.Embedding(12, 14), nn.Conv1d(12, 14, 1), nn.Bilinear(12, 13, 14)]
    other = some(rng, 1, others)[0]

    def bad(given):
        return lambda: refusal(TypeError, lambda: code.NF4Linear(given), "linear")

    calls = {
        f"a module of the class {type(other).__name__}": bad(other),
        "a module with weight and bias that is no nn.Linear": bad(LookAlike(size.n_in, size.n_out)),
        "a weight alone": bad(weight(rng, size.n_out, size.n_in)),
        "output of an nn.Linear": lambda: nf4(code, rng, size)(x),
        "output of a subclass of nn.Linear": lambda: code.NF4Linear(subclass)(x),
    }
    return tried(rng, **calls)
