"""The checks of `Adapter`."""

import torch.nn.functional as F

from grader.checks import check, grad_of, rand, set_parameter, some, whole
from grader.checks.peft.material import descend, moved, trainable


def sizes(rng) -> tuple[int, int]:
    """A hidden size D and a narrower bottleneck m."""
    return whole(rng, 7, 10), whole(rng, 3, 5)


def new(code, width, bottleneck):
    """An adapter as the learner's code makes it, in float64."""
    return code.Adapter(width, bottleneck).double()


def fill_layer(adapter, name: str, rng, scale=1.0) -> None:
    """Drawn numbers into weight and bias of `down` or `up`."""
    layer, (out, into) = getattr(adapter, name), getattr(adapter, name).weight.shape
    set_parameter(layer, "weight", scale * rand(rng, out, into))
    set_parameter(layer, "bias", scale * rand(rng, out))


def filled(code, rng, width, bottleneck):
    """An adapter with drawn numbers everywhere."""
    adapter = new(code, width, bottleneck)
    fill_layer(adapter, "down", rng)
    fill_layer(adapter, "up", rng)
    return adapter


def with_known_down(code, rng, width, bottleneck):
    """A new adapter with known numbers in `down`, whose start is free. A matrix of zeros stays one: it cannot learn."""
    adapter = new(code, width, bottleneck)
    learns = bool((adapter.down.weight != 0).any())
    fill_layer(adapter, "down", rng)
    set_parameter(adapter.down, "weight", learns * adapter.down.weight.detach())
    return adapter


def four_tensors(adapter) -> dict:
    """Weights and biases of both layers, by names of ours."""
    layers = {"down": adapter.down, "up": adapter.up}
    return {f"{name}.{kind}": getattr(layer, kind) for name, layer in layers.items() for kind in ("weight", "bias")}


@check(
    "Adapter",
    1,
    (
        "A bottleneck: from wide to narrow and back.",
        "Two nn.Linear with bias, down: D → m and up: m → D. Together 2·D·m + D + m numbers.",
        "self.down = nn.Linear(hidden_size, bottleneck); self.up = nn.Linear(bottleneck, hidden_size)",
    ),
)
def goes_down_and_up(code, rng):
    """`down` is linear from D to m and `up` from m to D, both with bias: 2·D·m + D + m numbers train."""
    width, bottleneck = sizes(rng)
    adapter = filled(code, rng, width, bottleneck)
    narrow = adapter.down(rand(rng, 4, width))
    return {
        "shapes": {name: list(tensor.shape) for name, tensor in four_tensors(adapter).items()},
        "down(x)": narrow,
        "up(down(x))": adapter.up(narrow),
        "numbers that train": sum(p.numel() for p in trainable(adapter)),
        "numbers that train, for a bottleneck of 1": sum(p.numel() for p in trainable(code.Adapter(width, 1))),
    }


@check(
    "Adapter",
    2,
    (
        "A new adapter must not disturb the pretrained model.",
        "With up = 0, weight and bias, the branch gives zero, and x + 0 is x.",
        "nn.init.zeros_(self.up.weight); nn.init.zeros_(self.up.bias)",
    ),
)
def starts_as_the_identity(code, rng):
    """A new adapter returns x, in train and in eval mode, however large the numbers in `down` are."""
    width, bottleneck = sizes(rng)
    adapter, x = new(code, width, bottleneck), rand(rng, 2, 5, width)
    seen = {f"output of a new adapter, {mode} mode": adapter.train(mode == "train")(x) for mode in ("train", "eval")}
    fill_layer(adapter, "down", rng, scale=100.0)
    return seen | {"output with large numbers in down": adapter(x)}


@check(
    "Adapter",
    3,
    (
        "Write the formula down: what is added to what?",
        "x + up(gelu(down(x))), with the exact GELU, not its tanh approximation and not ReLU.",
        "return x + self.up(F.gelu(self.down(x)))",
    ),
)
def output_is_x_plus_the_bottleneck(code, rng):
    """With weights that are not zero the output is x + up(gelu(down(x))), each time the same."""
    width, bottleneck = sizes(rng)
    adapter, x = filled(code, rng, width, bottleneck), rand(rng, 4, width)
    return {
        "output": adapter.eval()(x),
        "output in train mode": adapter.train()(x),
        "output of an adapter with a bottleneck of 1": filled(code, rng, width, 1)(x),
    }


@check(
    "Adapter",
    1,
    (
        "A language model gives (batch, tokens, hidden).",
        "nn.Linear and gelu act on any leading shape. Nothing need be reshaped.",
        "No view, no flatten, no transpose.",
    ),
)
def adapter_takes_any_leading_shape(code, rng):
    """Inputs of shape (D), (B, D), (B, T, D), (A, B, T, D) and an empty batch keep their shape."""
    width, bottleneck = sizes(rng)
    adapter = filled(code, rng, width, bottleneck)
    shapes = {
        "one vector": (),
        "(B, D)": (whole(rng, 2, 5),),
        "(B, T, D)": tuple(some(rng, 2, [2, 3, 4])),
        "(A, B, T, D)": (2, *some(rng, 2, [1, 3, 4])),
        "an empty batch": (0, 3),
    }
    return {f"output for {name}": adapter(rand(rng, *shape, width)) for name, shape in shapes.items()}


@check(
    "Adapter",
    1,
    (
        "Can a gradient flow from the output to every part?",
        "Nothing in forward may be detached.",
        "Use self.down and self.up themselves: no .data, no no_grad().",
    ),
)
def all_parts_get_their_gradient(code, rng):
    """The gradients of down, of up and of x are those of the formula."""
    width, bottleneck = sizes(rng)
    adapter = filled(code, rng, width, bottleneck)
    x = rand(rng, 4, width).requires_grad_()
    (adapter(x) * rand(rng, 4, width)).sum().backward()
    return {f"gradient of {name}": grad_of(tensor) for name, tensor in (four_tensors(adapter) | {"x": x}).items()}


@check(
    "Adapter",
    2,
    (
        "If both matrices are zero, which of them gets a gradient?",
        "up is zero, down is not: then up gets a gradient at the first step, and down from the second on.",
        "Leave down as nn.Linear draws it, and zero up alone.",
    ),
)
def the_first_step_moves_up(code, rng):
    """At the start `up` is zero and gets a gradient; the weight of `down` is not zero and gets none yet."""
    width, bottleneck = sizes(rng)
    adapter = with_known_down(code, rng, width, bottleneck)
    largest = {name: tensor.detach().abs().max().item() for name, tensor in four_tensors(adapter).items()}
    (adapter(rand(rng, 4, width)) * rand(rng, 4, width)).sum().backward()
    down = adapter.down.weight.grad
    return {
        "up.weight is zero": largest["up.weight"] == 0,
        "up.weight is small": largest["up.weight"] < 0.1,
        "up.bias is zero": largest["up.bias"] == 0,
        "down.weight is zero": largest["down.weight"] == 0,
        "gradient of up.weight": grad_of(adapter.up.weight),
        "gradient of up.bias": grad_of(adapter.up.bias),
        "down.weight gets a gradient": down is not None and bool((down != 0).any()),
    }


@check(
    "Adapter",
    1,
    (
        "Train a new adapter for some steps. Do all its tensors move?",
        "up moves first, then down gets a gradient through it.",
        "down random, up zero, both trainable.",
    ),
)
def a_new_adapter_learns(code, rng):
    """Gradient descent from the start lowers the loss and moves all four tensors."""
    width, bottleneck = sizes(rng)
    adapter = with_known_down(code, rng, width, bottleneck)
    before = {name: (tensor, tensor.detach().clone()) for name, tensor in four_tensors(adapter).items()}
    x, target = rand(rng, 16, width), rand(rng, 16, width)
    losses = descend(trainable(adapter), lambda: F.mse_loss(adapter(x), target), steps=5, rate=0.2)
    return losses | {"moved": sorted(moved(before))}
