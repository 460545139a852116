"""The checks of `QLoRALinear`: how it is made."""

import torch
from torch import nn

from grader.checks import check, rand, refusal, set_parameter, shuffled, tried, whole
from grader.checks.lora.material import about
from grader.checks.qlora.material import (
    LookAlike,
    fill,
    fresh,
    linear,
    nf4,
    numbers_in,
    sizes,
    trainable_names,
)


@check(
    "QLoRALinear",
    1,
    (
        "What does a LoRALinear keep? Here the base is an NF4Linear.",
        "self.base is the layer that was given, and scaling is alpha / rank.",
        "super().__init__(); self.base = base; self.scaling = alpha / rank",
    ),
)
def keeps_the_base_and_the_scaling(code, rng):
    """The layer keeps the given NF4Linear itself as `base`, and has scaling alpha / rank."""
    size, other = sizes(rng), sizes(rng)
    given = nf4(code, rng, size)
    layer = code.QLoRALinear(given, *size.pair)
    return {
        "base is the given layer": layer.base is given,
        "scaling": float(layer.scaling),
        "scaling of another layer": float(fresh(code, rng, other).scaling),
        "output": layer(numbers_in(rng, 3, size.n_in)),
    }


@check(
    "QLoRALinear",
    2,
    (
        "Which tensors train, and in which dtype do small steps still count?",
        "lora_A is (rank, in), lora_B is (out, rank), both parameters in float32. The base stays frozen.",
        "self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32))",
    ),
)
def only_float32_factors_train(code, rng):
    """lora_A (rank, in) and lora_B (out, rank) are parameters in float32, also if the base came in half precision,
    and nothing else trains."""
    seen = {}
    for dtype in shuffled(rng, [torch.float32, torch.bfloat16, torch.float16]):
        size = sizes(rng)
        layer = fresh(code, rng, size, dtype=dtype)
        own = dict(layer.named_parameters())
        shapes = {name: list(own[name].shape) if name in own else "no parameter" for name in ("lora_A", "lora_B")}
        trains = trainable_names(layer)
        fill(layer, rng, size)
        seen[f"a base from {dtype}"] = {
            "trainable": trains,
            "shapes": shapes,
            "lora_A with drawn numbers": layer.lora_A,
            "lora_B with drawn numbers": layer.lora_B,
        }
    return dict(sorted(seen.items()))


@check(
    "QLoRALinear",
    2,
    (
        "A new adapter must not change the model, yet it must be able to learn. Which factor can be zero?",
        "B is zero, A is random. If both are zero, each blocks the gradient of the other.",
        "nn.init.zeros_(self.lora_B), and A is drawn at random",
    ),
)
def starts_as_its_base(code, rng):
    """A new layer gives the output of its base, in train mode with dropout as well: lora_B is zero. lora_A is not."""
    size = sizes(rng)
    layer = fresh(code, rng, size, dropout=0.4)
    marks_a, marks_b = rand(rng, size.rank, size.n_in), rand(rng, size.n_out, size.rank)
    return {
        "output in train mode": layer.train()(numbers_in(rng, 3, size.n_in)),
        "output in eval mode": layer.eval()(numbers_in(rng, 3, size.n_in)),
        "drawn numbers where lora_B is zero": torch.where(layer.lora_B == 0, marks_b, 0.0),
        "drawn numbers where lora_A is not zero": torch.where(layer.lora_A == 0, 0.0, marks_a),
    }


@check(
    "QLoRALinear",
    1,
    (
        "How does LoRALinear draw its A?",
        "Kaiming-uniform with a = √5 gives U(-1/√in, 1/√in).",
        "nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))",
    ),
)
def lora_a_is_kaiming_uniform(code, rng):
    """lora_A is drawn from U(-1/√in, 1/√in), as kaiming_uniform_ with a = √5 draws it, anew for each layer."""
    n_in, rank = whole(rng, 1500, 2500), whole(rng, 12, 20)
    base = code.NF4Linear(nn.Linear(n_in, 3))
    one, other = (code.QLoRALinear(base, rank, 40.0).lora_A.detach().double() for _ in range(2))
    bound = n_in**-0.5
    return {  # chance moves these by less than a tenth of what is allowed, a wrong bound by far more
        "shape": list(one.shape),
        "standard deviation": about(one.std(), bound / 3**0.5, 0.05),
        "share of entries within the bound": about((one.abs() < 1.001 * bound).double().mean(), 1.0, 1e-6),
        "share of entries below half the bound": about((one.abs() < bound / 2).double().mean(), 0.5, 0.1),
        "two layers have the same": torch.equal(one, other),
    }


@check(
    "QLoRALinear",
    1,
    (
        "Which arguments make no sense? They are those of LoRALinear.",
        "A rank below 1 and a dropout outside [0, 1) are a ValueError, a base that is no NF4Linear a TypeError.",
        'if not isinstance(base, NF4Linear): raise TypeError(f"base must be an NF4Linear, got {type(base).__name__}")',
    ),
)
def refuses_bad_arguments(code, rng):
    """A rank < 1 or a dropout outside [0, 1) is a ValueError; a base that is no NF4Linear, an nn.Linear as well, is a
    TypeError."""
    size = sizes(rng)
    x = numbers_in(rng, 3, size.n_in)
    low, above, below = whole(rng, -6, -1), 1 + whole(rng, 1, 40) / 20, -whole(rng, 1, 10) / 100

    def bad(kind, word, base=None, rank=size.rank, dropout=0.0):
        return lambda: refusal(kind, lambda: code.QLoRALinear(base or nf4(code, rng, size), rank, 1.5, dropout), word)

    def good(rank=size.rank, dropout=0.0):
        def output():
            layer = code.QLoRALinear(nf4(code, rng, size), rank, size.scaling, dropout).eval()
            set_parameter(layer, "lora_A", rand(rng, rank, size.n_in))
            set_parameter(layer, "lora_B", rand(rng, size.n_out, rank))
            return layer(x)

        return output

    calls = {
        "rank 0": bad(ValueError, "rank", rank=0),
        f"rank {low}": bad(ValueError, "rank", rank=low),
        "dropout 1.0": bad(ValueError, "dropout", dropout=1.0),
        f"dropout {above:g}": bad(ValueError, "dropout", dropout=above),
        f"dropout {below:g}": bad(ValueError, "dropout", dropout=below),
        "an nn.Linear as base": bad(TypeError, "base", linear(rng, size.n_in, size.n_out)),
        "another module with in_features as base": bad(TypeError, "base", LookAlike(size.n_in, size.n_out)),
        "output with rank 1": good(rank=1),
        "output with a rank above both sizes": good(rank=size.n_in + size.n_out),
        "output with dropout 0.97, in eval mode": good(dropout=0.97),
    }
    return tried(rng, **calls)
