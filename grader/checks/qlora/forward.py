"""The checks of `QLoRALinear`: what its forward does."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import Unusable, check, grad_of, rand, set_parameter, shuffled, some, whole
from grader.checks.lora.material import about
from grader.checks.qlora.material import (
    fill,
    fresh,
    is_settled,
    numbers_in,
    sizes,
    trained,
    weight_of,
)


@check(
    "QLoRALinear",
    3,
    (
        "Write the formula down, then the shapes below it.",
        "base(x) + (alpha / rank) · x Aᵀ Bᵀ, on the last dimension of x.",
        "self.base(x) + self.scaling * F.linear(F.linear(x, self.lora_A), self.lora_B)",
    ),
)
def output_is_base_plus_scaled_update(code, rng):
    """With factors that are not zero the output is base(x) + alpha / rank · B A x, for any leading shape, without a
    bias and on a square layer."""
    size, square = sizes(rng), sizes(rng, square=True)
    layer, (rows, tokens) = trained(code, rng, size), some(rng, 2, [2, 3, 4])
    shapes = [(size.n_in,), (rows, size.n_in), (rows, tokens, size.n_in)]
    seen = {f"output for {shape}": layer(numbers_in(rng, *shape)) for shape in shapes}
    fill(layer, rng, size)
    return seen | {
        "output after the factors have changed": layer(numbers_in(rng, rows, size.n_in)),
        "output without bias": trained(code, rng, size, bias=False)(numbers_in(rng, rows, size.n_in)),
        "output of a square layer": trained(code, rng, square)(numbers_in(rng, rows, square.n_in)),
    }


@check(
    "QLoRALinear",
    2,
    (
        "Can the gradient flow from the output to both factors, and through the base to x?",
        "Nothing on the way may be detached or run under no_grad. Frozen means requires_grad_(False) alone.",
        "Use self.lora_A, self.lora_B and self.base(x) themselves in forward.",
    ),
)
def gradients_reach_the_factors_and_x(code, rng):
    """lora_A, lora_B and x get the gradients of the formula, in train and in eval mode; the bias of the base gets none."""
    size, seen = sizes(rng), {}
    layer = trained(code, rng, size)
    for mode in ("train", "eval"):
        layer.train(mode == "train").zero_grad()
        x = numbers_in(rng, 2, 3, size.n_in).requires_grad_()
        layer(x).square().sum().backward()
        seen[f"{mode} mode"] = {
            "gradient of lora_A": grad_of(layer.lora_A),
            "gradient of lora_B": grad_of(layer.lora_B),
            "gradient of x": grad_of(x),
            "gradient of the bias": grad_of(layer.base.bias),
        }
    return seen


@check(
    "QLoRALinear",
    1,
    (
        "What must come out if x is in bfloat16? And what if it is in float64?",
        "The output has the dtype of x. The update is converted to it before it is added.",
        "return self.base(x) + update.to(x.dtype)",
    ),
)
def output_has_the_dtype_of_x(code, rng):
    """The output has the dtype of x, and so has the gradient of x."""
    seen = {}
    for dtype in shuffled(rng, [torch.float32, torch.bfloat16, torch.float16, torch.float64]):
        size = sizes(rng)
        layer, x = trained(code, rng, size), numbers_in(rng, 3, size.n_in, dtype=dtype).requires_grad_()
        y = layer(x)
        y.sum().backward()
        gradient = grad_of(layer.lora_A)
        seen[f"x in {dtype}"] = {
            "output": y,
            "gradient of x": grad_of(x),
            "gradient of lora_A, in this dtype": gradient if isinstance(gradient, str) else gradient.to(dtype),
        }
    return dict(sorted(seen.items()))


def alone(code, rng, dtype: torch.dtype):
    """A layer whose base gives zeros, and an input for which its update, in this dtype, is the same for all who
    compute it in float32."""
    size = replace(sizes(rng), scaling=some(rng, 1, [0.25, 0.5, 2.0, 4.0])[0])  # it rounds nothing, wherever it stands
    zero = nn.Linear(size.n_in, size.n_out, bias=False)
    zero.weight.data.zero_()
    layer = code.QLoRALinear(code.NF4Linear(zero), *size.pair)
    while True:
        a, b = rand(rng, size.rank, size.n_in).float(), rand(rng, size.n_out, size.rank).float()
        x = numbers_in(rng, 2, size.n_in, dtype=dtype)
        update = size.scaling * (x.double() @ a.double().T @ b.double().T)
        if (update.abs() > 0.3).all() and is_settled(update, dtype):
            set_parameter(layer, "lora_A", a)
            set_parameter(layer, "lora_B", b)
            return layer, x


@check(
    "QLoRALinear",
    2,
    (
        "x is in bfloat16, the factors are in float32. In which of the two is the update computed?",
        "In float32: convert x, not the factors; and round the update once, when it is added.",
        "update = self.scaling * F.linear(F.linear(x.float(), self.lora_A), self.lora_B); ... + update.to(x.dtype)",
    ),
)
def update_is_computed_in_float32(code, rng):
    """For x in half precision the update is computed in float32 and rounded once (seen where the base gives zeros); so are the
    gradients of the factors."""
    seen = {}
    for dtype in shuffled(rng, [torch.bfloat16, torch.float16]):
        layer, x = alone(code, rng, dtype)
        y = layer(x)
        (y * numbers_in(rng, *y.shape, dtype=dtype)).sum().backward()
        seen[f"x in {dtype}"] = {
            "update, as float32": y.float(),
            "gradient of lora_A": grad_of(layer.lora_A),
            "gradient of lora_B": grad_of(layer.lora_B),
        }
    return dict(sorted(seen.items()))


def _shared(kept: torch.Tensor, dim: int) -> torch.Tensor:
    """How often neighbours along this dimension share their fate: both kept or both dropped."""
    size = kept.shape[dim]
    return (kept.narrow(dim, 0, size - 1) == kept.narrow(dim, 1, size - 1)).double().mean()


@check(
    "QLoRALinear",
    2,
    (
        "On which path does the formula place dropout, and which mode switches it off?",
        "Dropout acts on the input of the low-rank path alone, never on base(x), and in train mode alone.",
        "self.dropout = nn.Dropout(dropout); ... F.linear(self.dropout(x).float(), self.lora_A)",
    ),
)
def dropout_acts_on_the_input_of_the_update(code, rng):
    """In train mode dropout(x) enters the update, each entry on its own and rescaled; base(x) stays whole. In eval
    mode nothing is dropped."""
    size, p, scaling = whole(rng, 60, 80), whole(rng, 30, 60) / 100, whole(rng, 6, 14) / 4
    diagonal, one = whole(rng, 30, 50) / 4, torch.eye(size)
    base = nn.Linear(size, size, bias=False)
    set_parameter(base, "weight", diagonal * one)
    layer = code.QLoRALinear(code.NF4Linear(base), size, scaling * size, p).train()

    def output(a, b, *shape):
        set_parameter(layer, "lora_A", a)
        set_parameter(layer, "lora_B", b)
        return layer(torch.ones(*shape, size)).detach().double()

    def level(row):
        return bool((row.max() - row.min()).abs() < 1e-4 * row.abs().max())

    found = output(one, one, 2, 30)  # the diagonal + scaling · dropout(1)
    low, high = found.min(), found.max()
    kept = found > (low + high) / 2
    between = ((found - low).abs() > 1e-4 * high) & ((found - high).abs() > 1e-4 * high)
    same = p**2 + (1 - p) ** 2
    all_ones = torch.ones(size, size)
    return {
        "output where an entry is dropped": float(low),
        "output where an entry is kept": float(high),
        "entries neither dropped nor kept and rescaled": int(between.sum()),
        "share of dropped entries": about(1 - kept.double().mean(), p, 0.35),
        "two rows drop the same, share of entries": about(_shared(kept, 1), same, 0.35),
        "two entries of a row share their fate, share of pairs": about(_shared(kept, 2), same, 0.35),
        "all outputs of a row are equal, where A adds up all inputs": level(output(all_ones, one, 2)[0]),
        "all outputs of a row are equal, where B adds up all inputs": level(output(one, all_ones, 2)[0]),
        "output in eval mode": layer.eval()(torch.ones(2, size)),
    }


@check(
    "QLoRALinear",
    1,
    (
        "Which matrix, added to the dequantised weight, would give the same output?",
        "scaling · B A, of shape (out_features, in_features), in float32.",
        "return self.scaling * (self.lora_B @ self.lora_A)",
    ),
)
def delta_weight_is_the_scaled_product(code, rng):
    """delta_weight() is alpha / rank · B A of the factors as they are now, without dropout."""
    size, square = sizes(rng), sizes(rng, square=True)
    layer, other = trained(code, rng, size, dropout=0.5).train(), trained(code, rng, square)
    seen = {"delta_weight()": layer.delta_weight(), "of a square layer": other.delta_weight()}
    fill(layer, rng, size)
    return seen | {
        "after the factors have changed": layer.delta_weight(),
        "with the dequantised weight": weight_of(layer.base) + layer.delta_weight(),
    }


@check(
    "QLoRALinear",
    1,
    (
        "Train a few steps: the loss must fall, and two tensors alone may move.",
        "If the loss stays, look at the gradients of A and B. The codes of the base never change.",
        "Base frozen, A random, B zero, output = base(x) + scaling · B A x, nothing detached.",
    ),
)
def learns_a_small_problem(code, rng):
    """Some steps of gradient descent lower the loss by the update alone; the weight of the base stays."""
    size = sizes(rng)
    layer = fresh(code, rng, size)
    set_parameter(layer, "lora_A", rand(rng, size.rank, size.n_in) / 4)
    x, target = numbers_in(rng, 16, size.n_in), rand(rng, 16, size.n_out).float()
    trains, losses = [parameter for parameter in layer.parameters() if parameter.requires_grad], []
    if not trains:
        raise Unusable("no parameter of the QLoRALinear requires a gradient, so this check cannot go on")
    for _ in range(4):
        loss = F.mse_loss(layer(x), target)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, trains, allow_unused=True)
        with torch.no_grad():  # by hand, since importing torch.optim's machinery takes a second
            for parameter, gradient in zip(trains, gradients):
                parameter -= 0.05 / size.scaling * (0 if gradient is None else gradient)
    return {"losses": losses, "update": layer.delta_weight(), "weight of the base": weight_of(layer.base)}
