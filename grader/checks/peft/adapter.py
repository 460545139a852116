"""The checks of `Adapter`."""

import torch.nn.functional as F

from grader.checks import check, grad_of, rand, set_parameter
from grader.checks.peft.material import BOTTLENECK, WIDTH, descend, moved, snapshot, trainable


def filled(code, rng, width=WIDTH, bottleneck=BOTTLENECK):
    """An adapter in float64 with random numbers everywhere."""
    adapter = code.Adapter(width, bottleneck).double()
    for layer, shape in {"down": (bottleneck, width), "up": (width, bottleneck)}.items():
        set_parameter(getattr(adapter, layer), "weight", rand(rng, *shape))
        set_parameter(getattr(adapter, layer), "bias", rand(rng, shape[0]))
    return adapter


def fix_down(adapter, rng, width=WIDTH, bottleneck=BOTTLENECK) -> None:
    """Known numbers in the place of the random ones that `down` starts with. Zeros stay zeros."""
    for name, shape in {"weight": (bottleneck, width), "bias": (bottleneck,)}.items():
        drawn = getattr(adapter.down, name).detach()
        values = rand(rng, *shape)
        set_parameter(adapter.down, name, values * (drawn != 0) if drawn.shape == values.shape else values)


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
    """down is an nn.Linear from D to m, up one from m to D, both with bias: 2·D·m + D + m parameters."""
    adapter = code.Adapter(WIDTH, BOTTLENECK)
    return {
        "shapes": {name: list(parameter.shape) for name, parameter in sorted(adapter.named_parameters())},
        "classes": [type(adapter.down).__name__, type(adapter.up).__name__],
        "trainable numbers for D = 10, m = 2": sum(p.numel() for p in trainable(code.Adapter(10, 2))),
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
    """A new adapter returns exactly x, in train and in eval mode."""
    adapter = code.Adapter(WIDTH, BOTTLENECK).double()
    x = rand(rng, 2, 5, WIDTH)
    return {f"output minus x, {mode} mode": adapter.train(mode == "train")(x) - x for mode in ("train", "eval")}


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
    adapter = filled(code, rng)
    x = rand(rng, 4, WIDTH)
    return {"output": adapter(x), "output of a second call": adapter(x)}


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
    """Inputs of shape (D), (B, D), (B, T, D) and an empty batch keep their shape."""
    adapter = filled(code, rng)
    return {f"output for {shape}": adapter(rand(rng, *shape)) for shape in [(6,), (4, 6), (2, 3, 6), (0, 6)]}


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
    adapter = filled(code, rng)
    x = rand(rng, 4, WIDTH).requires_grad_()
    (adapter(x) * rand(rng, 4, WIDTH)).sum().backward()
    return {
        "gradient of down.weight": grad_of(adapter.down.weight),
        "gradient of down.bias": grad_of(adapter.down.bias),
        "gradient of up.weight": grad_of(adapter.up.weight),
        "gradient of up.bias": grad_of(adapter.up.bias),
        "gradient of x": grad_of(x),
    }


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
    """At the start up is zero and gets a gradient; down is not zero and gets none yet."""
    adapter = code.Adapter(WIDTH, BOTTLENECK).double()
    zeros = {name: (p == 0).double().mean().item() for name, p in adapter.named_parameters() if "weight" in name}
    fix_down(adapter, rng)
    adapter(rand(rng, 4, WIDTH)).square().sum().backward()
    return {
        "share of zeros": zeros,
        "gradient of up.weight": grad_of(adapter.up.weight),
        "gradient of up.bias": grad_of(adapter.up.bias),
        "gradient of down.weight": grad_of(adapter.down.weight),
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
    adapter = code.Adapter(WIDTH, BOTTLENECK).double()
    fix_down(adapter, rng)
    before = snapshot(adapter)
    x, target = rand(rng, 16, WIDTH), rand(rng, 16, WIDTH)
    losses = descend(trainable(adapter), lambda: F.mse_loss(adapter(x), target), rate=0.05)
    return losses | {"moved": sorted(moved(before))}
