"""The checks of `LoRALinear`: how it is made."""

import torch
from torch import nn

from grader.checks import check, rand, refusal, some, tried, whole
from grader.checks.lora.material import about, answer, fill, fresh, linear, sizes, trainable_names, trained


class Kind(nn.Linear):
    """A subclass of nn.Linear."""


class LookAlike(nn.Module):
    """Has all that a linear layer has, and is none."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.in_features, self.out_features = n_in, n_out
        self.weight = nn.Parameter(torch.zeros(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.weight.T + self.bias


@check(
    "LoRALinear",
    1,
    (
        "Which attributes does the contract name?",
        "Keep the layer you were given: self.base = base. And scaling is alpha / rank.",
        "super().__init__(); self.base = base; self.scaling = alpha / rank; self.merged = False",
    ),
)
def keeps_the_base_and_the_scaling(code, rng):
    """The layer keeps the given nn.Linear itself as `base`, has scaling alpha / rank, and is not merged."""
    size, other = sizes(rng), sizes(rng)
    given = linear(rng, size.n_in, size.n_out)
    layer = code.LoRALinear(given, *size.pair)
    fill(layer, rng, size.rank)
    with torch.no_grad():  # as when a checkpoint is loaded into the model
        given.weight.copy_(rand(rng, size.n_out, size.n_in))
    return {
        "scaling": float(layer.scaling),
        "scaling of another layer": float(fresh(code, rng, other).scaling),
        "scaling for rank 1": float(code.LoRALinear(linear(rng, 6, 5), 1, size.alpha).scaling),
        "merged": bool(layer.merged),
        "output after the weight of the given layer was changed": layer(rand(rng, 4, size.n_in)),
        "base.weight then": layer.base.weight,
    }


@check(
    "LoRALinear",
    1,
    (
        "Draw the product B A with its sizes: it must have the shape of the weight.",
        "nn.Linear stores its weight as (out_features, in_features). So B is (out, r) and A is (r, in).",
        "self.lora_A = nn.Parameter(...(rank, base.in_features)); self.lora_B = nn.Parameter(...(base.out_features, rank))",
    ),
)
def factors_have_their_shapes(code, rng):
    """lora_A is a parameter of shape (rank, in_features), lora_B one of shape (out_features, rank)."""
    seen = {}
    for what, size in {
        "one layer": sizes(rng),
        "another layer": sizes(rng),
        "a square layer": sizes(rng, True),
    }.items():
        own = dict(fresh(code, rng, size).named_parameters())
        seen[what] = {
            name: list(own[name].shape) if name in own else "not a parameter" for name in ("lora_A", "lora_B")
        }
    return seen


@check(
    "LoRALinear",
    1,
    (
        "Which tensors should an optimizer be allowed to move?",
        "The base is frozen as a whole: its weight and its bias.",
        "self.base = base.requires_grad_(False)",
    ),
)
def only_the_factors_train(code, rng):
    """lora_A and lora_B require gradients; weight and bias of the base do not."""
    size = sizes(rng)
    layers = {"trainable": fresh(code, rng, size), "trainable without a bias": fresh(code, rng, size, bias=False)}
    seen = {}
    for what, layer in layers.items():
        seen[what] = trainable_names(layer)
        seen[f"numbers that are {what}"] = sum(p.numel() for p in layer.parameters() if p.requires_grad)
        fill(layer, rng, size.rank)
        seen[f"output of the layer that is {what}"] = layer(rand(rng, 3, size.n_in))
    return seen


@check(
    "LoRALinear",
    1,
    (
        "A new layer must not change the model, yet it must be able to learn. Which factor can be zero?",
        "B is zero, A is random. If both are zero, each blocks the gradient of the other.",
        "nn.init.zeros_(self.lora_B), and A is drawn at random.",
    ),
)
def one_factor_starts_at_zero(code, rng):
    """lora_B starts as zeros; lora_A does not."""
    layer = fresh(code, rng, sizes(rng))
    marks_a, marks_b = rand(rng, *layer.lora_A.shape), rand(rng, *layer.lora_B.shape)
    return {
        "drawn numbers where lora_B is zero": torch.where(layer.lora_B == 0, marks_b, 0.0),
        "drawn numbers where lora_A is not zero": torch.where(layer.lora_A == 0, 0.0, marks_a),
    }


@check(
    "LoRALinear",
    1,
    (
        "How does nn.Linear draw its own weight? LoRA libraries draw A in the same way.",
        "Kaiming-uniform with a = √5 gives U(-1/√in, 1/√in).",
        "nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))",
    ),
)
def lora_a_is_kaiming_uniform(code, rng):
    """lora_A is drawn from U(-1/√in, 1/√in), as kaiming_uniform_ with a = √5 draws it, anew for each layer."""
    n_in, rank, alpha = whole(rng, 1500, 3000), whole(rng, 12, 20), 40.0
    one, other = (code.LoRALinear(nn.Linear(n_in, 24), rank, alpha).lora_A.detach().double() for _ in range(2))
    bound = n_in**-0.5
    alike = torch.corrcoef(torch.cat([one, other])) - torch.eye(2 * rank, dtype=torch.float64)
    return {  # chance moves these by less than a tenth of what is allowed, a wrong bound by far more
        "shape": list(one.shape),
        "standard deviation": about(one.std(), bound / 3**0.5, 0.05),
        "share of entries within the bound": about((one.abs() < 1.001 * bound).double().mean(), 1.0, 1e-6),
        "share of entries below half the bound": about((one.abs() < bound / 2).double().mean(), 0.5, 0.1),
        "share of entries that are negative": about((one < 0).double().mean(), 0.5, 0.1),
        "rows that resemble each other, in one layer or in two": int((alike.abs() > 0.4).any(dim=1).sum()),
    }


@check(
    "LoRALinear",
    1,
    (
        "A model may lie on a GPU when LoRA is added.",
        "Make the factors on the device of base.weight.",
        "torch.empty(..., device=base.weight.device), or base.weight.new_empty(...)",
    ),
)
def factors_follow_the_device(code, rng):
    """The factors are made on the device of the base (seen on PyTorch's meta device)."""
    seen = {}
    for device in ("meta", "cpu"):
        size = sizes(rng)
        layer = code.LoRALinear(nn.Linear(size.n_in, size.n_out, device=device), *size.pair)
        seen[f"base on {device}"] = {
            name: f"{list(factor.shape)} on {factor.device.type}"
            for name, factor in {"lora_A": layer.lora_A, "lora_B": layer.lora_B}.items()
        }
    return seen


@check(
    "LoRALinear",
    1,
    (
        "Which arguments make no sense? The contract lists them.",
        "A rank below 1 and a dropout outside [0, 1) are a ValueError, a base that is no nn.Linear a TypeError.",
        'if rank < 1: raise ValueError(f"rank must be at least 1, got {rank}") and so on',
    ),
)
def refuses_bad_arguments(code, rng):
    """A rank < 1 or a dropout outside [0, 1) is a ValueError, another base a TypeError; the message says which.
    Any higher rank is right, and so is a subclass of nn.Linear."""
    size, make = sizes(rng), code.LoRALinear
    n_in, n_out, x = size.n_in, size.n_out, rand(rng, 3, size.n_in)
    low, above, below = whole(rng, -6, -1), 1 + whole(rng, 1, 40) / 20, -whole(rng, 1, 10) / 100
    others = [nn.Embedding(n_out, n_in), nn.Conv1d(n_in, n_out, 1), nn.LayerNorm(n_in), nn.Bilinear(n_in, n_in, n_out)]
    other = some(rng, 1, others)[0]

    def bad(kind, word, base=None, rank=size.rank, dropout=0.0):
        return lambda: refusal(kind, lambda: make(base or linear(rng, n_in, n_out), rank, size.alpha, dropout), word)

    def good(rank=size.rank, dropout=0.0, kind=nn.Linear):
        def output():
            layer = make(linear(rng, n_in, n_out, kind=kind), rank, size.alpha, dropout)
            fill(layer, rng, rank)
            return layer.eval()(x)

        return lambda: answer(output)

    calls = {
        "rank 0": bad(ValueError, "rank", rank=0),
        f"rank {low}": bad(ValueError, "rank", rank=low),
        "dropout 1.0": bad(ValueError, "dropout", dropout=1.0),
        f"dropout {above:g}": bad(ValueError, "dropout", dropout=above),
        f"dropout {below:g}": bad(ValueError, "dropout", dropout=below),
        f"a base of the class {type(other).__name__}": bad(TypeError, "base", other),
        "a base with weight and bias that is no nn.Linear": bad(TypeError, "base", LookAlike(n_in, n_out)),
        "output with rank 1": good(rank=1),
        "output with a rank above both sizes": good(rank=n_in + n_out),
        "output with dropout 0.97, in eval mode": good(dropout=0.97),
        "output with a subclass of nn.Linear as base": good(kind=Kind),
    }
    return tried(rng, **calls)


@check(
    "LoRALinear",
    1,
    (
        "Where does a new tensor get its dtype from if you say nothing?",
        "The factors must be of the dtype of base.weight, or half-precision models fail at the first call.",
        "torch.empty(rank, base.in_features, dtype=base.weight.dtype, device=base.weight.device)",
    ),
)
def factors_follow_the_dtype(code, rng):
    """In float64, float32 and bfloat16 the factors have the dtype of the base, and the output is right in it."""
    seen = {}
    for dtype in some(rng, 3, [torch.float64, torch.float32, torch.bfloat16]):
        size = sizes(rng)
        layer = trained(code, rng, size, dtype=dtype)
        seen[str(dtype)] = {
            "lora_A": layer.lora_A.dtype,
            "lora_B": layer.lora_B.dtype,
            "output": layer(rand(rng, 4, size.n_in, dtype=dtype)),
        }
    return seen
