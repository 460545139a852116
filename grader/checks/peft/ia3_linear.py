"""The checks of `IA3Linear`."""

import torch

from grader.checks import check, grad_of, rand, set_parameter
from grader.checks.peft.material import linear, moved, snapshot, trainable_names

IN, OUT = 7, 5


def rescaled(code, rng, n_in=IN, n_out=OUT, bias=True):
    """An IA3Linear whose vector holds known numbers, exact in every floating-point format."""
    layer = code.IA3Linear(linear(rng, n_in, n_out, bias))
    set_parameter(layer, "ia3", (8 * rand(rng, n_out)).round() / 8 + 0.0625)
    return layer


@check(
    "IA3Linear",
    1,
    (
        "One number for each output. Which number changes nothing?",
        "ia3 is a parameter of size out_features, ones at the start; the base is frozen, weight and bias.",
        "self.ia3 = nn.Parameter(torch.ones(base.out_features)); base.requires_grad_(False)",
    ),
)
def one_factor_for_each_output(code, rng):
    """ia3 is a parameter of out_features ones, and it is all that trains."""
    layer = code.IA3Linear(linear(rng, IN, OUT))
    own = dict(layer.named_parameters())
    return {
        "ia3": layer.ia3.detach().double(),
        "ia3 is a parameter": "ia3" in own,
        "trainable": trainable_names(layer),
    }


@check(
    "IA3Linear",
    1,
    (
        "What is y times one?",
        "A new layer gives the output of its base, the bias included.",
        "return self.base(x) * self.ia3",
    ),
)
def new_layer_answers_like_its_base(code, rng):
    """A new IA3Linear gives exactly the output of its base."""
    base = linear(rng, IN, OUT)
    x = rand(rng, 4, IN)
    right = base(x).detach()
    return {"output minus that of the base": code.IA3Linear(base)(x) - right}


@check(
    "IA3Linear",
    3,
    (
        "Is the input rescaled or the output?",
        "Each output is multiplied by its factor, after the bias has been added.",
        "self.base(x) * self.ia3, not self.base(x * self.ia3)",
    ),
)
def output_is_rescaled(code, rng):
    """The output, bias included, is multiplied entry by entry, for any leading shape and on a square layer."""
    layer = rescaled(code, rng)
    return {
        "output": layer(rand(rng, 4, IN)),
        "output for (2, 3, in)": layer(rand(rng, 2, 3, IN)),
        "output without bias": rescaled(code, rng, bias=False)(rand(rng, 4, IN)),
        "output of a square layer": rescaled(code, rng, 6, 6)(rand(rng, 4, 6)),
    }


@check(
    "IA3Linear",
    1,
    (
        "Frozen does not mean that no gradient passes.",
        "ia3 gets a gradient, the base none, and the layers before get theirs through the base.",
        "Freeze by requires_grad_(False) alone.",
    ),
)
def gradients_go_to_the_factors_and_through(code, rng):
    """ia3 and the layer before get the gradients of the formula; the base gets none."""
    before, layer = linear(rng, 4, IN), rescaled(code, rng)
    layer(before(rand(rng, 6, 4)).tanh()).square().sum().backward()
    return {
        "gradient of ia3": grad_of(layer.ia3).double() if layer.ia3.grad is not None else "none",
        "gradient of the layer before": grad_of(before.weight),
        "other parameters with a gradient": [
            name for name, p in layer.named_parameters() if name != "ia3" and p.grad is not None
        ],
    }


@check(
    "IA3Linear",
    2,
    (
        "Fold the factors into the layer: what do they multiply?",
        "Row i of the weight and entry i of the bias belong to output i. Both are multiplied by ia3[i].",
        "weight * ia3[:, None] and bias * ia3",
    ),
)
def merged_layer_answers_the_same(code, rng):
    """merge() returns a plain nn.Linear with the same output, the bias rescaled, too."""
    layer = rescaled(code, rng)
    x = rand(rng, 4, IN)
    merged = layer.merge()
    return {
        "class": type(merged).__name__,
        "sizes": [merged.in_features, merged.out_features],
        "change of the output": merged(x) - layer(x),
        "output": merged(x),
    }


@check(
    "IA3Linear",
    1,
    (
        "Many layers have no bias. On a square one a wrong broadcast passes unseen.",
        "Without bias the merged layer has none, either. ia3[:, None] scales rows, ia3 alone scales columns.",
        "nn.Linear(in_features, out_features, bias=self.base.bias is not None)",
    ),
)
def merges_without_bias_and_on_square_layers(code, rng):
    """merge() works on a layer without bias and on a square one."""
    bare, square = rescaled(code, rng, bias=False), rescaled(code, rng, 6, 6)
    merged = bare.merge()
    return {
        "has a bias": merged.bias is not None,
        "output without bias": merged(rand(rng, 4, IN)),
        "output of a square layer": square.merge()(rand(rng, 4, 6)),
    }


@check(
    "IA3Linear",
    1,
    (
        "What if somebody goes on training after a merge, or merges twice?",
        "merge() makes a new layer; the layer it came from stays as it is.",
        "Make a new nn.Linear and copy into it.",
    ),
)
def merging_leaves_the_layer_alone(code, rng):
    """merge() changes neither the layer nor its base, gives the same twice, and shares no memory with it."""
    base = linear(rng, IN, OUT)
    layer = code.IA3Linear(base)
    set_parameter(layer, "ia3", torch.arange(1.0, OUT + 1))
    before, x = snapshot(layer), rand(rng, 4, IN)
    first = layer.merge()
    second = layer.merge()
    outputs = {"first": first(x), "second": second(x), "of the layer itself": layer(x)}
    with torch.no_grad():
        for parameter in first.parameters():
            parameter += 1
    return outputs | {"moved": moved(before)}
