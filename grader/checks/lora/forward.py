"""The checks of `LoRALinear`: what its forward does."""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import check, grad_of, rand, set_parameter, whole
from grader.checks.lora.material import about, fill, fresh, linear, own_tensors, sizes, trained


def fix_start(layer, rng) -> None:
    """Known numbers in the place of the random ones with which the factors start. Zeros stay zeros."""
    for name in ("lora_A", "lora_B"):
        drawn = torch.as_tensor(getattr(layer, name)).detach()
        set_parameter(layer, name, torch.where(drawn == 0, 0.0, rand(rng, *drawn.shape)))


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
    """A new LoRALinear gives the output of its base, with and without a bias, whatever its dropout."""
    size = sizes(rng)
    return {
        "output": fresh(code, rng, size)(rand(rng, 4, size.n_in)),
        "output with dropout, in train mode": fresh(code, rng, size, dropout=0.4).train()(rand(rng, 4, size.n_in)),
        "output without bias": fresh(code, rng, size, bias=False)(rand(rng, 4, size.n_in)),
    }


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
    """With factors that are not zero the output is base(x) + alpha / rank · B A x, also after they have changed."""
    size = sizes(rng)
    layer = trained(code, rng, size)
    seen = {"output": layer(rand(rng, 4, size.n_in))}
    fill(layer, rng, size.rank)
    return seen | {"output after the factors have changed": layer(rand(rng, 4, size.n_in))}


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
    size = sizes(rng, square=True)
    return {"output": trained(code, rng, size)(rand(rng, 4, size.n_in))}


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
    """Inputs of shape (in), (B, in), (B, T, in), (B, 1, T, in), an empty batch and a transposed one give matching outputs."""
    size = sizes(rng)
    layer, n_in, batch, tokens = trained(code, rng, size), size.n_in, whole(rng, 2, 4), whole(rng, 2, 4)
    shapes = [(n_in,), (batch, n_in), (batch, tokens, n_in), (batch, 1, tokens, n_in), (0, n_in)]
    seen = {f"output for {shape}": layer(rand(rng, *shape)) for shape in shapes}
    turned = rand(rng, tokens, batch, n_in).transpose(0, 1)
    return seen | {f"output for a transposed {tuple(turned.shape)}": layer(turned)}


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
    size = sizes(rng)
    return {"output": trained(code, rng, size, bias=False)(rand(rng, 4, size.n_in))}


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
    size = sizes(rng)
    layer = trained(code, rng, size)
    weights = rand(rng, 2, 3, size.n_out)
    (layer(rand(rng, 2, 3, size.n_in)) * weights).sum().backward()
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
    size = sizes(rng)
    layer = fresh(code, rng, size)
    fix_start(layer, rng)
    layer(rand(rng, 4, size.n_in)).pow(2).sum().backward()
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
    size = sizes(rng)
    before, after = linear(rng, 4, size.n_in), linear(rng, size.n_out, 2)
    net = nn.Sequential(before, nn.Tanh(), trained(code, rng, size), nn.Tanh(), after)
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
    """After backward() the base has no gradient, but the input of the layer has."""
    size = sizes(rng)
    layer, x = trained(code, rng, size), rand(rng, 4, size.n_in).requires_grad_()
    layer(x).pow(2).sum().backward()
    return {
        "gradient of base.weight": grad_of(layer.base.weight),
        "gradient of base.bias": grad_of(layer.base.bias),
        "gradient of the input": grad_of(x),
    }


@check(
    "LoRALinear",
    1,
    (
        "Is a call of forward allowed to change a weight, or to draw new ones?",
        "forward reads the base, the factors and x, and writes to none of them; no mode changes them either.",
        "Compute the update beside base(x), and add it to the output.",
    ),
)
def forward_changes_nothing(code, rng):
    """Calls of forward, in train and in eval mode, give the same output and leave x and all tensors as they were."""
    size = sizes(rng)
    layer, x = trained(code, rng, size), rand(rng, 4, size.n_in)
    given, before, seen = x.clone(), own_tensors(layer), {}
    for call, mode in enumerate(("train", "train", "eval", "train")):
        seen[f"output of call {call}, in {mode} mode"] = layer.train(mode == "train")(x)
        now = own_tensors(layer)
        seen[f"changed by call {call}"] = [
            name for name, tensor in before.items() if not torch.equal(tensor, now[name])
        ]
        seen[f"x after call {call}"] = x.clone()
        x.copy_(given)
    return seen


def _shared(kept: torch.Tensor, dim: int) -> torch.Tensor:
    """How often neighbours along this dimension share their fate: both kept or both dropped."""
    size = kept.shape[dim]
    return (kept.narrow(dim, 0, size - 1) == kept.narrow(dim, 1, size - 1)).double().mean()


@check(
    "LoRALinear",
    1,
    (
        "On which path does the formula place dropout, and how many masks does it draw?",
        "Dropout acts on the input of the low-rank path, never on base(x), and not on A or B or behind them.",
        "self.base(x) + self.scaling * (self.dropout(x) @ A.T @ B.T) with self.dropout = nn.Dropout(dropout)",
    ),
)
def dropout_acts_on_the_input_of_the_update(code, rng):
    """In train mode dropout(x) enters the update, each entry on its own and rescaled; base(x) stays whole."""
    size, p, scaling, diagonal = (
        whole(rng, 60, 80),
        whole(rng, 30, 60) / 100,
        whole(rng, 6, 14) / 4,
        whole(rng, 30, 50) / 4,
    )
    one, ones = torch.eye(size, dtype=torch.float64), torch.ones(size, size, dtype=torch.float64)
    base = nn.Linear(size, size, bias=False, dtype=torch.float64)
    set_parameter(base, "weight", diagonal * one)
    layer = code.LoRALinear(base, size, scaling * size, p).train()

    def output(a, b, *shape):
        set_parameter(layer, "lora_A", a)
        set_parameter(layer, "lora_B", b)
        return layer(torch.ones(*shape, size, dtype=torch.float64)).detach()

    def level(row):
        return bool((row.max() - row.min()).abs() < 1e-4 * row.abs().max())

    first, second = output(one, one, 4, 50), output(one, one, 4, 50)  # the diagonal + scaling · dropout(1)
    low, high = first.min(), first.max()
    kept = torch.stack([first, second]) > (low + high) / 2
    share, same = 1 - kept.double().mean(), p**2 + (1 - p) ** 2
    between = ((first - low).abs() > 1e-4 * high) & ((first - high).abs() > 1e-4 * high)
    return {
        "output where an entry is dropped": float(low),
        "output where an entry is kept": float(high),
        "entries neither dropped nor kept and rescaled": int(between.sum()),
        "share of dropped entries": about(share, p, 0.35),
        "two calls drop the same, share of entries": about(_shared(kept, 0), same, 0.3),
        "two sequences drop the same, share of entries": about(_shared(kept, 1), same, 0.3),
        "two rows drop the same, share of entries": about(_shared(kept, 2), same, 0.3),
        "two entries of a row share their fate, share of pairs": about(_shared(kept, 3), same, 0.3),
        "all outputs of a row are equal, where A adds up all inputs": level(output(ones, one, 2)[0] - diagonal),
        "all outputs of a row are equal, where B adds up all inputs": level(output(one, ones, 2)[0] - diagonal),
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
    size = sizes(rng)
    net = nn.Sequential(trained(code, rng, size, dropout=whole(rng, 4, 8) / 10))
    x = rand(rng, 4, size.n_in)
    net.train()(x)
    return {"output": net.eval()(x)}


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
    """Some steps of gradient descent on one batch lower the loss by the update alone, which has rank r."""
    size = sizes(rng)
    layer = fresh(code, rng, size)
    fix_start(layer, rng)
    x, target = rand(rng, 32, size.n_in), rand(rng, 32, size.n_out)
    before = own_tensors(layer)
    trainable = [p for p in layer.parameters() if p.requires_grad]
    losses, rate = [], 0.1 / (size.scaling**2 * size.n_in)
    for _ in range(6):
        loss = F.mse_loss(layer(x), target, reduction="sum") / 32
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, trainable, allow_unused=True)
        with torch.no_grad():  # by hand, since importing torch.optim's machinery takes a second
            for parameter, gradient in zip(trainable, gradients):
                if gradient is not None:
                    parameter -= rate * gradient
    after = own_tensors(layer)
    update = after["lora_B"] @ after["lora_A"]
    return {
        "losses": losses,
        "tensors that moved": [name for name in before if not torch.equal(before[name], after[name])],
        "rank of the update": int(torch.linalg.matrix_rank(update)),
        "update": update,
    }
