"""The checks of `IA3Linear`."""

import torch
from torch import nn

from grader.checks import check, grad_of, rand, refusal, set_parameter, shuffled, some, tried, whole
from grader.checks.peft.material import (
    FastLinear,
    OwnLinear,
    a_linear,
    descend,
    moved,
    snapshot,
    trainable,
    trainable_names,
)


def sizes(rng) -> tuple[int, int]:
    """How many numbers a layer takes and gives, never as many."""
    return whole(rng, 7, 9), whole(rng, 3, 6)


def factors(rng, count: int) -> torch.Tensor:
    """Drawn numbers that are exact in every floating-point format, and neither 0 nor 1."""
    return (8 * rand(rng, count)).round() / 8 + 0.0625


def rescaled(code, rng, n_in, n_out, bias=True, dtype=torch.float64):
    """An IA3Linear whose vector holds drawn numbers."""
    layer = code.IA3Linear(a_linear(rng, n_in, n_out, bias).to(dtype))
    set_parameter(layer, "ia3", factors(rng, n_out))
    return layer


def numbers_of(linear) -> dict:
    """The weight and the bias of a layer, if they are parameters. An optimizer and a state dict find no others."""
    found = dict(linear.named_parameters())
    return {name: found[name].detach() if name in found else "no parameter" for name in ("weight", "bias")}


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
    """ia3 is a parameter of out_features ones, and it is all that trains and moves."""
    n_in, n_out = sizes(rng)
    base = a_linear(rng, n_in, n_out)
    layer, before = code.IA3Linear(base), snapshot(base)
    seen = {
        "ia3 at the start": layer.ia3.detach().double().clone(),
        "ia3 is a parameter": "ia3" in dict(layer.named_parameters()),
        "numbers that train": sum(p.numel() for p in trainable(layer)),
        "parameters of the base that train": trainable_names(base),
    }
    x = rand(rng, 5, n_in)
    losses = descend(trainable(layer), lambda: layer(x).square().mean(), steps=3, rate=0.2)
    return seen | losses | {"ia3 after training": layer.ia3.detach().double(), "moved in the base": moved(before)}


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
    """A new IA3Linear gives the output of its base, with and without bias, in train and in eval mode."""
    n_in, n_out = sizes(rng)
    layer, bare = code.IA3Linear(a_linear(rng, n_in, n_out)), code.IA3Linear(a_linear(rng, n_in, n_out, bias=False))
    x = rand(rng, 4, n_in)
    return {
        "factors": layer.ia3.numel(),
        "output of a new layer": layer(x),
        "output in eval mode": layer.eval()(x),
        "output without bias": bare(x),
    }


@check(
    "IA3Linear",
    2,
    (
        "Is the input rescaled or the output?",
        "Each output is multiplied by its factor, after the bias has been added.",
        "self.base(x) * self.ia3, not self.base(x * self.ia3)",
    ),
)
def output_is_rescaled(code, rng):
    """The output, bias included, is multiplied entry by entry, for any leading shape and on a square layer."""
    n_in, n_out = sizes(rng)
    layer, (rows, tokens) = rescaled(code, rng, n_in, n_out), some(rng, 2, [2, 3, 4])
    return {
        "output": layer(rand(rng, rows, n_in)),
        "output for one vector": layer(rand(rng, n_in)),
        "output for (B, T, in)": layer(rand(rng, rows, tokens, n_in)),
        "output without bias": rescaled(code, rng, n_in, n_out, bias=False)(rand(rng, 4, n_in)),
        "output of a square layer": rescaled(code, rng, n_in, n_in)(rand(rng, n_in, n_in)),
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
    n_in, n_out = sizes(rng)
    before, layer = a_linear(rng, 4, n_in), rescaled(code, rng, n_in, n_out)
    layer(before(rand(rng, 6, 4)).tanh()).square().sum().backward()
    gradient = grad_of(layer.ia3)
    return {
        "gradient of ia3": gradient if isinstance(gradient, str) else gradient.double(),
        "gradient of the layer before": grad_of(before.weight),
        "other tensors with a gradient": sum(p.grad is not None for p in layer.parameters() if p is not layer.ia3),
    }


@check(
    "IA3Linear",
    1,
    (
        "Fold the factors into the layer: what do they multiply?",
        "Row i of the weight and entry i of the bias belong to output i. Both are multiplied by ia3[i].",
        "weight * ia3[:, None] and bias * ia3, copied into the parameters of a new nn.Linear",
    ),
)
def merged_layer_answers_the_same(code, rng):
    """merge() returns a plain nn.Linear with the same output, whose weight and bias are parameters, both rescaled."""
    n_in, n_out = sizes(rng)
    layer, x = rescaled(code, rng, n_in, n_out), rand(rng, 4, n_in)
    merged = layer.merge()
    output = merged(x)
    if output.requires_grad:
        output.sum().backward()
    return {
        "is an nn.Linear": isinstance(merged, nn.Linear),
        "is an IA3Linear": isinstance(merged, code.IA3Linear),
        "sizes": [merged.in_features, merged.out_features],
        "parameters": numbers_of(merged),
        "output": output,
        "gradient of ia3 from the merged layer": grad_of(layer.ia3),
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
    n_in, n_out = sizes(rng)
    merged = rescaled(code, rng, n_in, n_out, bias=False).merge()
    square = rescaled(code, rng, n_in, n_in).merge()
    return {
        "has a bias": merged.bias is not None,
        "output without bias": merged(rand(rng, 4, n_in)),
        "output of a square layer": square(rand(rng, n_in, n_in)),
        "parameters of a square layer": numbers_of(square),
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
    n_in, n_out = sizes(rng)
    layer, x = rescaled(code, rng, n_in, n_out), rand(rng, 4, n_in)
    before = snapshot(layer)
    first, second = layer.merge(), layer.merge()
    outputs = {"of the first merged layer": first(x), "of the second": second(x), "of the layer itself": layer(x)}
    with torch.no_grad():
        for parameter in first.parameters():
            parameter += 1
    return outputs | {"moved in the layer": moved(before), "of the layer after a change of the merged one": layer(x)}


@check(
    "IA3Linear",
    1,
    (
        "The next layer of a half-precision model takes half-precision numbers only.",
        "ia3, or what is multiplied with it, is in the dtype of the base; so is the merged layer.",
        "base.weight.new_ones(base.out_features); merged.to(base.weight)",
    ),
)
def follows_the_dtype_of_the_base(code, rng):
    """The output and the merged layer are in the dtype of the base, in half precision, too."""
    n_in, n_out = sizes(rng)
    seen = {}
    for dtype in shuffled(rng, [torch.bfloat16, torch.float16, torch.float32]):
        layer, x = rescaled(code, rng, n_in, n_out, dtype=dtype), rand(rng, 4, n_in, dtype=dtype)
        merged = layer.merge()
        seen[str(dtype)] = {"output": layer(x), "parameters of the merged layer": numbers_of(merged)}
    return dict(sorted(seen.items()))


@check(
    "IA3Linear",
    1,
    (
        "Many layers have a weight and out_features. Which of them can be rescaled and merged?",
        "A base that is no nn.Linear is a TypeError that names it. A subclass of nn.Linear is an nn.Linear.",
        'if not isinstance(base, nn.Linear): raise TypeError(f"base must be an nn.Linear, got {type(base).__name__}")',
    ),
)
def refuses_a_base_of_another_kind(code, rng):
    """A base that is no nn.Linear is a TypeError that names the base; subclasses of nn.Linear are good."""
    n_in, n_out = sizes(rng)
    x = rand(rng, 4, n_in)
    plain, fast = a_linear(rng, n_in, n_out), a_linear(rng, n_in, n_out, kind=FastLinear)
    own, pairs = OwnLinear(rng, n_in, n_out), nn.Bilinear(n_in, n_in, n_out)

    def refused(base):
        return refusal(TypeError, lambda: code.IA3Linear(base), "base")

    return tried(
        rng,
        **{
            "a layer with all attributes of an nn.Linear": lambda: refused(own),
            "an nn.Bilinear": lambda: refused(pairs),
            "output of an nn.Linear": lambda: code.IA3Linear(plain)(x),
            "output of a subclass of nn.Linear": lambda: code.IA3Linear(fast)(x),
        },
    )
