"""The checks of `LoRALinear`."""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import check, grad_of, rand, refusal, set_parameter
from grader.checks.lora.material import ALPHA, IN, OUT, RANK, fresh, linear, trainable_names, trained


def fix_a(layer, rng) -> None:
    """Known numbers in the place of the random ones that lora_A starts with. Zeros stay zeros."""
    drawn = torch.as_tensor(layer.lora_A).detach()
    values = rand(rng, RANK, IN)
    set_parameter(layer, "lora_A", torch.where(drawn == 0, 0.0, values) if drawn.shape == values.shape else values)


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
    base = linear(rng)
    layer = code.LoRALinear(base, RANK, ALPHA)
    return {
        "base is the layer that was given": layer.base is base,
        "scaling": float(layer.scaling),
        "scaling for alpha 1 and rank 3": float(code.LoRALinear(linear(rng), 3, 1.0).scaling),
        "merged": layer.merged,
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
    layer = fresh(code, rng)
    own = dict(layer.named_parameters())
    return {name: list(own[name].shape) if name in own else "not a parameter" for name in ("lora_A", "lora_B")}


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
    return {"trainable": trainable_names(fresh(code, rng))}


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
    layer = fresh(code, rng)
    return {
        "lora_B": layer.lora_B,
        "share of zeros in lora_A": (layer.lora_A == 0).double().mean(),
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
    """lora_A is drawn from U(-1/√in, 1/√in), as kaiming_uniform_ with a = √5 draws it."""
    n_in = 2048
    layer = code.LoRALinear(nn.Linear(n_in, 8), 16, 40.0)
    bound = n_in**-0.5
    scaled = layer.lora_A.detach().double() / bound
    other = code.LoRALinear(nn.Linear(n_in, 8), 16, 40.0)
    return {  # rounded, since the numbers themselves are random: 1, 0.6 and 0 for this distribution
        "largest entry in units of 1/√in": round(scaled.abs().max().item(), 1),
        "standard deviation in units of 1/√in": round(scaled.std().item(), 1),
        "mean in units of 1/√in": abs(round(scaled.mean().item(), 1)),
        "two layers start with the same numbers": torch.equal(layer.lora_A, other.lora_A),
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
    layer = code.LoRALinear(nn.Linear(IN, OUT, device="meta"), RANK, ALPHA)
    return {"lora_A": layer.lora_A.device, "lora_B": layer.lora_B.device}


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
    make = code.LoRALinear
    base = linear(rng)
    return {
        "rank 0": refusal(ValueError, lambda: make(base, 0, ALPHA), "rank"),
        "rank -2": refusal(ValueError, lambda: make(base, -2, ALPHA), "rank"),
        "dropout 1.0": refusal(ValueError, lambda: make(base, RANK, ALPHA, 1.0), "dropout"),
        "dropout -0.1": refusal(ValueError, lambda: make(base, RANK, ALPHA, -0.1), "dropout"),
        "an embedding as base": refusal(TypeError, lambda: make(nn.Embedding(4, 4), RANK, ALPHA), "base"),
        "dropout 0.9": refusal(ValueError, lambda: make(base, RANK, ALPHA, 0.9), "dropout"),
        "a rank above both sizes": refusal(ValueError, lambda: make(base, OUT + IN, ALPHA), "rank"),
        "a subclass of nn.Linear": refusal(
            ValueError, lambda: make(nn.modules.linear.NonDynamicallyQuantizableLinear(4, 4), 2, 1.0)
        ),
    }


@check(
    "LoRALinear",
    1,
    (
        "What is B A while B is zero?",
        "A new layer returns base(x), the bias included.",
        "return self.base(x) + self.scaling * (...) with lora_B still zero",
    ),
)
def new_layer_answers_like_its_base(code, rng):
    """A new LoRALinear gives exactly the output of its base."""
    layer = fresh(code, rng)
    x = rand(rng, 4, IN)
    return {"output minus that of the base": layer(x) - F.linear(x, layer.base.weight, layer.base.bias)}


@check(
    "LoRALinear",
    2,
    (
        "Write the formula down, then the shapes below it.",
        "base(x) + (alpha / rank) · x Aᵀ Bᵀ: x is a row, so both factors are transposed.",
        "return self.base(x) + self.scaling * (x @ self.lora_A.T @ self.lora_B.T)",
    ),
)
def output_is_base_plus_scaled_update(code, rng):
    """With factors that are not zero the output is base(x) + alpha / rank · B A x."""
    return {"output": trained(code, rng)(rand(rng, 4, IN))}


@check(
    "LoRALinear",
    1,
    (
        "On a square layer a wrong transpose raises no error. Compare the formula by hand.",
        "F.linear(x, W) computes x Wᵀ. The update must be transposed in the same way.",
        "x @ A.T @ B.T, never x @ (B @ A)",
    ),
)
def works_on_a_square_layer(code, rng):
    """The output is right where in_features = out_features and a wrong transpose would pass unseen."""
    return {"output": trained(code, rng, 6, 6)(rand(rng, 4, 6))}


@check(
    "LoRALinear",
    1,
    (
        "A language model gives (batch, tokens, hidden). What does your product accept?",
        "@ and F.linear act on the last dimension of any shape; mm, t and addmm want exactly two.",
        "F.linear(F.linear(x, self.lora_A), self.lora_B)",
    ),
)
def takes_any_leading_shape(code, rng):
    """Inputs of shape (in), (B, in), (B, T, in), (B, 1, T, in) and an empty batch give matching outputs."""
    layer = trained(code, rng)
    shapes = [(IN,), (4, IN), (2, 3, IN), (2, 1, 3, IN), (0, IN)]
    seen = {f"output for {shape}": layer(rand(rng, *shape)) for shape in shapes}
    return seen | {"output for a transposed (2, 3, 7)": layer(rand(rng, 3, 2, IN).transpose(0, 1))}


@check(
    "LoRALinear",
    1,
    (
        "Many models have linear layers without bias.",
        "base(x) knows by itself whether there is a bias.",
        "Call self.base(x) and do not touch self.base.bias.",
    ),
)
def works_without_bias(code, rng):
    """A base with bias=False works."""
    return {"output": trained(code, rng, bias=False)(rand(rng, 4, IN))}


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
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        layer = trained(code, rng, dtype=dtype)
        seen[str(dtype)] = {
            "lora_A": layer.lora_A.dtype,
            "lora_B": layer.lora_B.dtype,
            "output": layer(rand(rng, 4, IN, dtype=dtype)),
        }
    return seen


@check(
    "LoRALinear",
    2,
    (
        "Can the gradient flow from the output back to both factors?",
        "Nothing on the way from x through A and B to the output may be detached or run under no_grad.",
        "Use self.lora_A and self.lora_B themselves in forward: no .data, no .detach(), no torch.no_grad().",
    ),
)
def both_factors_get_their_gradient(code, rng):
    """The gradients of lora_A and lora_B are those of the formula."""
    layer = trained(code, rng)
    weights = rand(rng, 2, 3, OUT)
    (layer(rand(rng, 2, 3, IN)) * weights).sum().backward()
    return {"gradient of lora_A": grad_of(layer.lora_A), "gradient of lora_B": grad_of(layer.lora_B)}


@check(
    "LoRALinear",
    1,
    (
        "At the first step only one factor learns. Which one, and why?",
        "The gradient of A contains B, which is zero. The gradient of B contains A, which is not.",
        "A drawn at random, B zeros, nothing detached.",
    ),
)
def first_step_moves_b_alone(code, rng):
    """At the start the gradient of lora_A is zero and that of lora_B is not."""
    layer = fresh(code, rng)
    fix_a(layer, rng)
    layer(rand(rng, 4, IN)).pow(2).sum().backward()
    return {"gradient of lora_A": grad_of(layer.lora_A), "gradient of lora_B": grad_of(layer.lora_B)}


@check(
    "LoRALinear",
    2,
    (
        "Frozen does not mean that no gradient passes through.",
        "The layers before need the gradient with respect to x, through the base and through the update.",
        "Freeze by requires_grad_(False) alone. Do not detach x, and do not run the base under no_grad.",
    ),
)
def gradient_reaches_the_layers_around(code, rng):
    """The layers before and after a LoRALinear get the gradients of the formula, in train and in eval mode."""
    before, after = linear(rng, 4, IN), linear(rng, OUT, 2)
    net = nn.Sequential(before, nn.Tanh(), trained(code, rng), nn.Tanh(), after)
    x = rand(rng, 6, 4)
    seen = {}
    for mode in ("train", "eval"):  # eval() switches dropout off, not gradients
        net.train(mode == "train").zero_grad()
        net(x).pow(2).sum().backward()
        seen |= {
            f"layer before, {mode} mode": grad_of(before.weight),
            f"layer after, {mode} mode": grad_of(after.weight),
        }
    return seen


@check(
    "LoRALinear",
    1,
    (
        "What does backward() leave behind in base.weight.grad?",
        "A frozen tensor has no gradient at all, and so costs no memory for one.",
        "base.requires_grad_(False) in the constructor",
    ),
)
def base_gets_no_gradient(code, rng):
    """After backward() the base has no gradient."""
    layer = trained(code, rng)
    layer(rand(rng, 4, IN)).pow(2).sum().backward()
    return {"weight.grad": layer.base.weight.grad, "bias.grad": layer.base.bias.grad}


@check(
    "LoRALinear",
    1,
    (
        "Is a call of forward allowed to change a weight, or to draw new ones?",
        "forward only reads. The update is added to the output, not to the weight.",
        "No assignment to self.base.weight and no new factors inside forward.",
    ),
)
def forward_changes_nothing(code, rng):
    """Calls in train and in eval mode give the same output again, and leave all tensors as they were."""
    layer = trained(code, rng)
    x = rand(rng, 4, IN)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    outputs = [layer.train(mode)(x) for mode in (True, True, False, True)]
    moved = [name for name, tensor in layer.state_dict().items() if not torch.equal(tensor, before[name])]
    return {"tensors that forward has changed": moved, "output of the first call": outputs[0], "last": outputs[-1]}


@check(
    "LoRALinear",
    1,
    (
        "On which path does the formula place dropout?",
        "Dropout acts on the input of the low-rank path, never on base(x), and not behind A or B.",
        "self.base(x) + self.scaling * (self.dropout(x) @ A.T @ B.T) with self.dropout = nn.Dropout(dropout)",
    ),
)
def dropout_acts_on_the_input_of_the_update(code, rng):
    """In train mode dropout(x) enters the update, entry by entry and rescaled; base(x) stays whole."""
    size, p = 64, 0.3
    base = nn.Linear(size, size, bias=False, dtype=torch.float64)
    base.weight.data = 10 * torch.eye(size, dtype=torch.float64)
    layer = code.LoRALinear(base, size, 2.5 * size, p).train()
    set_parameter(layer, "lora_A", torch.eye(size, dtype=torch.float64))
    set_parameter(layer, "lora_B", torch.eye(size, dtype=torch.float64))
    passed = layer(torch.ones(100, size, dtype=torch.float64)).detach()  # 10 + 2.5 · dropout(1)
    ones = torch.ones(size, size, dtype=torch.float64)
    set_parameter(layer, "lora_B", ones)
    summed_by_b = layer(ones).detach()[0]
    set_parameter(layer, "lora_A", ones)
    set_parameter(layer, "lora_B", torch.eye(size, dtype=torch.float64))
    summed_by_a = layer(ones).detach()[0]
    return {
        "values of 10 + 2.5 · dropout(1)": passed.round(decimals=6).unique(),
        "share of dropped entries": round((passed == passed.min()).double().mean().item(), 1),
        "different outputs in a row, where A adds up all inputs": len(summed_by_a.round(decimals=6).unique()),
        "different outputs in a row, where B adds up all inputs": len(summed_by_b.round(decimals=6).unique()),
    }


@check(
    "LoRALinear",
    1,
    (
        "What should eval() switch off?",
        "A functional dropout needs training=self.training; nn.Dropout knows its mode by itself.",
        "self.dropout = nn.Dropout(dropout) in the constructor",
    ),
)
def no_dropout_in_eval_mode(code, rng):
    """In eval mode the output does not depend on chance."""
    layer = trained(code, rng, dropout=0.6).eval()
    return {"output": layer(rand(rng, 4, IN))}


@check(
    "LoRALinear",
    3,
    (
        "Overfit one batch and watch the loss: it must fall, and only two tensors may move.",
        "If the loss stays, look at the gradients of A and B. If other tensors move, look at requires_grad.",
        "Base frozen, A random, B zero, output = base(x) + scaling · B A x, nothing detached.",
    ),
)
def learns_a_small_problem(code, rng):
    """Plain gradient descent on one batch lowers the loss by the update alone, which has rank r."""
    layer = fresh(code, rng)
    fix_a(layer, rng)
    x, target = rand(rng, 32, IN), rand(rng, 32, OUT)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    trained_parameters = [p for p in layer.parameters() if p.requires_grad]
    losses = []
    for _ in range(40):
        loss = F.mse_loss(layer(x), target, reduction="sum") / 32
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, trained_parameters, allow_unused=True)
        with torch.no_grad():  # by hand, since importing torch.optim's machinery takes a second
            for parameter, gradient in zip(trained_parameters, gradients):
                if gradient is not None:
                    parameter -= 0.005 * gradient
    update = layer.lora_B.detach() @ layer.lora_A.detach()
    return {
        "loss before": losses[0],
        "loss after": losses[-1],
        "tensors that moved": [n for n, t in layer.state_dict().items() if not torch.equal(t, before[n])],
        "rank of the update": torch.linalg.matrix_rank(update),
    }
