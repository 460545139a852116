"""The checks of the LoRA problem.

Sizes are chosen so that no coincidence hides a mistake: in ≠ out, rank ≠ 2, alpha ≠ rank. The scaling,
7.5 / 3 = 2.5, is exact in every floating-point format, so that how it is stored makes no difference.
"""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import check, grad_of, rand, refusal, set_parameter

IN, OUT, RANK, ALPHA = 7, 5, 3, 7.5


# --- material -----------------------------------------------------------------------------------


def linear(rng, n_in=IN, n_out=OUT, bias=True, dtype=torch.float64) -> nn.Linear:
    """A linear layer with random weights."""
    layer = nn.Linear(n_in, n_out, bias=bias, dtype=dtype)
    for parameter in layer.parameters():
        parameter.data = rand(rng, *parameter.shape, dtype=dtype)
    return layer


def fresh(code, rng, n_in=IN, n_out=OUT, *, bias=True, dtype=torch.float64, **options):
    """A LoRALinear as the learner's code makes it."""
    return code.LoRALinear(linear(rng, n_in, n_out, bias, dtype), RANK, ALPHA, **options)


def fill(layer, rng) -> None:
    """Random numbers into both factors, as if the layer had been trained."""
    rank, n_in, n_out = RANK, layer.base.in_features, layer.base.out_features
    set_parameter(layer, "lora_A", rand(rng, rank, n_in, dtype=layer.base.weight.dtype))
    set_parameter(layer, "lora_B", rand(rng, n_out, rank, dtype=layer.base.weight.dtype))


def fix_a(layer, rng) -> None:
    """Known numbers in the place of the random ones that lora_A starts with. Zeros stay zeros."""
    drawn = torch.as_tensor(layer.lora_A).detach()
    values = rand(rng, RANK, IN)
    set_parameter(layer, "lora_A", torch.where(drawn == 0, 0.0, values) if drawn.shape == values.shape else values)


def trained(code, rng, n_in=IN, n_out=OUT, **options):
    """A LoRALinear with factors that are not zero."""
    layer = fresh(code, rng, n_in, n_out, **options)
    fill(layer, rng)
    return layer


class Block(nn.Module):
    """One residual block whose layers' names contain each other."""

    def __init__(self, rng, width=6):
        super().__init__()
        self.q_proj = linear(rng, width, width)
        self.my_q_proj = linear(rng, width, width)
        self.norm = nn.LayerNorm(width, dtype=torch.float64)
        self.q_proj_gate = nn.Sequential(linear(rng, width, width), nn.Tanh())
        self.v_proj = linear(rng, width, 4, bias=False)
        self.out = linear(rng, 4, width)

    def forward(self, x):
        mixed = self.q_proj(self.norm(x)) + self.my_q_proj(x).tanh() + self.q_proj_gate(x)
        return x + self.out(self.v_proj(mixed))


class Model(nn.Module):
    """A small network of two blocks, called with token ids (B, T)."""

    def __init__(self, rng, width=6):
        super().__init__()
        self.embed = nn.Embedding(9, width, dtype=torch.float64)
        self.blocks = nn.ModuleList(Block(rng, width) for _ in range(2))
        self.head = linear(rng, width, 9)
        self.embed.weight.data = rand(rng, 9, width)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


IDS = torch.tensor([[1, 4, 2, 8, 5], [7, 0, 3, 6, 1]])


def injected(code, rng, targets=("q_proj", "v_proj"), **options):
    """A model with LoRA on some layers, its factors filled."""
    model = Model(rng)
    code.inject_lora(model, list(targets), RANK, ALPHA, **options)
    for module in model.modules():
        if isinstance(module, code.LoRALinear):
            fill(module, rng)
    return model


def wrapped_names(code, model) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, code.LoRALinear)]


def trainable_names(model) -> list[str]:
    return sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def factors_of(model) -> dict[str, torch.Tensor]:
    """The factors by qualified name, read without the learner's functions."""
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] in ("lora_A", "lora_B")
    }


# --- LoRALinear: what it is made of -------------------------------------------------------------


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
        "rank 0": refusal(lambda: make(base, 0, ALPHA), "rank"),
        "rank -2": refusal(lambda: make(base, -2, ALPHA), "rank"),
        "dropout 1.0": refusal(lambda: make(base, RANK, ALPHA, 1.0), "dropout"),
        "dropout -0.1": refusal(lambda: make(base, RANK, ALPHA, -0.1), "dropout"),
        "an embedding as base": refusal(lambda: make(nn.Embedding(4, 4), RANK, ALPHA), "base"),
        "dropout 0.9": refusal(lambda: make(base, RANK, ALPHA, 0.9), "dropout"),
        "a rank above both sizes": refusal(lambda: make(base, OUT + IN, ALPHA), "rank"),
        "a subclass of nn.Linear": refusal(
            lambda: make(nn.modules.linear.NonDynamicallyQuantizableLinear(4, 4), 2, 1.0)
        ),
    }


# --- LoRALinear: forward ------------------------------------------------------------------------


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


# --- delta_weight, merge, unmerge ---------------------------------------------------------------


@check(
    "LoRALinear.delta_weight",
    1,
    (
        "Which matrix, added to base.weight, would give the same output?",
        "scaling · B A, of shape (out_features, in_features).",
        "return self.scaling * (self.lora_B @ self.lora_A)",
    ),
)
def delta_is_the_scaled_product(code, rng):
    """delta_weight() is alpha / rank · B A, with the shape of the weight."""
    layer = trained(code, rng)
    return {"delta_weight()": layer.delta_weight(), "of a new layer": fresh(code, rng).delta_weight()}


@check(
    "LoRALinear.delta_weight",
    1,
    (
        "On a square layer A B and B A have the same shape. Which one is it?",
        "B A: first A (to rank), then B (from rank), as in B A x.",
        "self.lora_B @ self.lora_A, not transposed",
    ),
)
def delta_agrees_with_forward(code, rng):
    """On a square layer x delta_weight()ᵀ is what forward adds to base(x)."""
    layer = trained(code, rng, 6, 6)
    x = rand(rng, 4, 6)
    base = F.linear(x, layer.base.weight, layer.base.bias)
    return {
        "delta_weight()": layer.delta_weight(),
        "gap to forward": F.linear(x, layer.delta_weight()) - (layer(x) - base),
    }


@check(
    "LoRALinear.merge",
    2,
    (
        "After merging, base.weight alone must give the output of before.",
        "Add the delta to the weight, set merged, and let forward skip the update while merged.",
        "with torch.no_grad(): self.base.weight += self.delta_weight(); self.merged = True",
    ),
)
def merge_folds_the_update_in(code, rng):
    """merge() adds the delta to base.weight, sets merged, and the output in eval mode stays the same."""
    layer = trained(code, rng, dropout=0.4).eval()
    x = rand(rng, 2, 3, IN)
    layer.merge()
    return {"base.weight": layer.base.weight, "merged": layer.merged, "output": layer(x)}


@check(
    "LoRALinear.merge",
    1,
    (
        "What if somebody calls merge() twice?",
        "The attribute merged tells whether there is anything to do.",
        "if not self.merged: ...",
    ),
)
def merging_twice_changes_nothing_more(code, rng):
    """A second merge() does nothing."""
    layer = trained(code, rng).eval()
    layer.merge()
    layer.merge()
    return {"base.weight": layer.base.weight, "merged": layer.merged}


@check(
    "LoRALinear.merge",
    1,
    (
        "Does merging make the frozen weight a tensor that learns?",
        "Change the weight in place, under no_grad. Do not put a new nn.Parameter in its place.",
        "with torch.no_grad(): self.base.weight += self.delta_weight()",
    ),
)
def merge_keeps_everything_else(code, rng):
    """merge() leaves bias, factors and what is trainable as they were."""
    layer = trained(code, rng)
    layer.merge()
    return {
        "trainable": trainable_names(layer),
        "bias": layer.base.bias,
        "lora_A": layer.lora_A,
        "lora_B": layer.lora_B,
        "weight is a parameter": isinstance(layer.base.weight, nn.Parameter),
    }


@check(
    "LoRALinear.unmerge",
    1,
    (
        "unmerge is the inverse of merge.",
        "Subtract exactly the delta that merge has added, and clear merged.",
        "with torch.no_grad(): self.base.weight -= self.delta_weight(); self.merged = False",
    ),
)
def unmerge_takes_the_update_out(code, rng):
    """After merge() and unmerge() the weight is the old one and the output is still the adapted one."""
    layer = trained(code, rng).eval()
    x = rand(rng, 4, IN)
    set_parameter(layer.base, "weight", rand(rng, OUT, IN))  # a base that was loaded after LoRA was added
    layer.merge()
    layer.unmerge()
    return {"base.weight": layer.base.weight, "merged": layer.merged, "output": layer(x)}


@check(
    "LoRALinear.unmerge",
    1,
    (
        "What if nothing is merged?",
        "Without a merge there is nothing to take out.",
        "if self.merged: ...",
    ),
)
def unmerging_twice_changes_nothing_more(code, rng):
    """unmerge() on a layer that is not merged does nothing, at the start or a second time."""
    layer = trained(code, rng)
    layer.unmerge()
    first = layer.base.weight.detach().clone()
    layer.merge()
    layer.unmerge()
    layer.unmerge()
    return {
        "weight after an early unmerge()": first,
        "weight after two more": layer.base.weight,
        "merged": layer.merged,
    }


@check(
    "LoRALinear.unmerge",
    2,
    (
        "Ten merges and unmerges must not wear the weight out.",
        "Add and subtract the same numbers, in the dtype of the weight.",
        "The same delta_weight() in both, without a cast to a smaller format.",
    ),
)
def no_drift_over_many_cycles(code, rng):
    """Ten cycles of merge and unmerge leave the weight within rounding, the layer learns on and merges what it learned."""
    layer = trained(code, rng)
    for _ in range(10):
        layer.merge()
        layer.unmerge()
    layer(rand(rng, 4, IN)).pow(2).sum().backward()
    seen = {
        "base.weight": layer.base.weight.detach().clone(),
        "gradient of lora_A": grad_of(layer.lora_A),
        "gradient of lora_B": grad_of(layer.lora_B),
        "trainable": trainable_names(layer),
    }
    fill(layer, rng)
    layer.merge()
    return seen | {"base.weight, merged after the factors have changed": layer.base.weight}


# --- inject_lora --------------------------------------------------------------------------------


@check(
    "inject_lora",
    2,
    (
        "named_modules() walks through the whole tree, however deep.",
        "Split the qualified name at the last dot: the parent gets a new attribute.",
        "parent, _, last = name.rpartition('.'); setattr(model.get_submodule(parent), last, LoRALinear(...))",
    ),
)
def wraps_the_targets(code, rng):
    """Every target at every depth becomes a LoRALinear; the names come back in model order."""
    model = Model(rng)
    originals = [model.blocks[0].q_proj, model.blocks[1].v_proj]
    names = code.inject_lora(model, ["v_proj", "out", "q_proj"], RANK, ALPHA)
    return {
        "names returned": list(names),
        "layers that are LoRALinear": wrapped_names(code, model),
        "the old layer is the base": [
            model.blocks[0].q_proj.base is originals[0],
            model.blocks[1].v_proj.base is originals[1],
        ],
    }


@check(
    "inject_lora",
    2,
    (
        'The model has layers named q_proj, my_q_proj and q_proj_gate.0. Which ones does "q_proj" mean?',
        "Compare the last part of the qualified name as a whole. No `in` on strings, no endswith.",
        "name.rpartition('.')[2] in target_modules",
    ),
)
def matches_the_whole_last_name_part(code, rng):
    """ "q_proj" means q_proj: not my_q_proj, and not the layers inside q_proj_gate."""
    model = Model(rng)
    names = code.inject_lora(model, ["q_proj"], RANK, ALPHA)
    sequential = nn.Sequential(linear(rng), nn.ReLU(), nn.Sequential(linear(rng, OUT, 3), linear(rng, 3, 3)))
    numbered = code.inject_lora(sequential, ["1"], RANK, ALPHA)
    return {"names for q_proj": list(names), "wrapped": wrapped_names(code, model), "names for 1": list(numbered)}


@check(
    "inject_lora",
    2,
    (
        "Embeddings, norms, the head: what should they do while LoRA trains?",
        "Freeze the whole model first, then make the factors trainable.",
        "model.requires_grad_(False) before the first replacement",
    ),
)
def freezes_everything_else(code, rng):
    """After the call only lora_A and lora_B of the targets are trainable."""
    model = Model(rng)
    code.inject_lora(model, ["q_proj", "v_proj"], RANK, ALPHA)
    return {"trainable": trainable_names(model)}


@check(
    "inject_lora",
    1,
    (
        "The model must not notice that LoRA was added.",
        "The wrapped layer is the old one, with B = 0 beside it.",
        "LoRALinear(module, rank, alpha, dropout) with the module that was there",
    ),
)
def model_answers_as_before(code, rng):
    """Right after the call the model gives the same output."""
    model = Model(rng)
    before = model(IDS).detach()
    code.inject_lora(model, ["q_proj", "v_proj", "out", "head"], RANK, ALPHA)
    return {"change of the output": model(IDS) - before}


@check(
    "inject_lora",
    1,
    (
        "Do your arguments arrive where they belong?",
        "Pass rank, alpha and dropout on, in this order.",
        "LoRALinear(module, rank, alpha, dropout)",
    ),
)
def passes_the_arguments_on(code, rng):
    """Rank, alpha and dropout reach the new layers."""
    model = injected(code, rng, dropout=0.5)
    layer = model.blocks[1].v_proj
    x = rand(rng, 50, 6)
    noisy = (layer.train()(x) - layer.eval()(x)).abs().max() > 0
    return {"shape of lora_A": list(layer.lora_A.shape), "scaling": float(layer.scaling), "dropout acts": bool(noisy)}


@check(
    "inject_lora",
    2,
    (
        "What does your loop do with a layer that is a LoRALinear already? And with the base inside it?",
        "Skip LoRALinear modules, and do not walk into them.",
        "Collect the targets first; leave out what is a LoRALinear or lies inside one.",
    ),
)
def second_call_wraps_nothing_twice(code, rng):
    """A second call that names the wrapped layers, and the `base` inside them, returns an empty list and leaves all as it was."""
    model = injected(code, rng)
    before = model(IDS).detach()
    names = code.inject_lora(model, ["q_proj", "v_proj", "base"], RANK, ALPHA)
    return {
        "names returned for q_proj, v_proj and base": list(names),
        "wrapped": wrapped_names(code, model),
        "trainable": trainable_names(model),
        "change of the output": model(IDS) - before,
    }


@check(
    "inject_lora",
    1,
    (
        "Freezing the model at the second call freezes the first call's factors too.",
        "After the replacement make every lora_A and lora_B of the model trainable, old and new.",
        "for name, p in model.named_parameters(): p.requires_grad_(name.endswith(('lora_A', 'lora_B')))",
    ),
)
def earlier_factors_stay_trainable(code, rng):
    """A second call for other layers returns the new names only; the factors of both calls train."""
    model = injected(code, rng, ["q_proj"])
    names = code.inject_lora(model, ["q_proj", "out"], RANK + 1, ALPHA)
    return {
        "names returned": list(names),
        "trainable": trainable_names(model),
        "shape of the new lora_A": list(model.blocks[0].out.lora_A.shape),
    }


@check(
    "inject_lora",
    1,
    (
        "What happens if a target name is misspelt?",
        "If nothing matches, raise a ValueError that lists the linear layers of the model.",
        'raise ValueError(f"no layer matches {target_modules}; there are {names}")',
    ),
)
def refuses_targets_that_match_nothing(code, rng):
    """If no linear layer matches, a ValueError names the linear layers that exist."""
    return {
        "a misspelt name": refusal(
            lambda: code.inject_lora(Model(rng), ["qproj"], RANK, ALPHA), "blocks.0.q_proj", "blocks.1.out", "head"
        ),
        "a layer that is not linear": refusal(lambda: code.inject_lora(Model(rng), ["norm"], RANK, ALPHA), "head"),
        "no target": refusal(lambda: code.inject_lora(Model(rng), [], RANK, ALPHA), "head"),
        "a misspelt name at a second call": refusal(
            lambda: code.inject_lora(injected(code, rng), ["qproj"], RANK, ALPHA), "head"
        ),
    }


# --- state dicts --------------------------------------------------------------------------------


@check(
    "lora_state_dict",
    1,
    (
        "What must be saved so that another machine with the same base can go on?",
        "The factors alone, under their qualified names. No base weight.",
        "{name: p for name, p in model.named_parameters() if name.endswith(('lora_A', 'lora_B'))}",
    ),
)
def saves_the_factors_alone(code, rng):
    """The state holds lora_A and lora_B of every wrapped layer by qualified name, and nothing else, whatever trains."""
    model = injected(code, rng)
    model.head.requires_grad_(True)  # trained along, but no part of the adapter
    state = code.lora_state_dict(model)
    frozen = code.lora_state_dict(model.requires_grad_(False))  # as for use
    return {
        "names": sorted(state),
        "names when nothing is trainable": sorted(frozen),
        "tensors": {name: state[name] for name in sorted(state)},
    }


@check(
    "load_lora_state_dict",
    1,
    (
        "Copy each tensor into the parameter of the same name.",
        "Copy in place under no_grad, so that the parameters stay the same objects.",
        "with torch.no_grad(): parameter.copy_(state[name])",
    ),
)
def loads_what_was_saved(code, rng):
    """A model that loads the state of another one on the same base gives its output, and the factors still train."""
    seed = int(torch.randint(1000, (1,), generator=rng))
    trained_model = injected(code, torch.Generator().manual_seed(seed))
    model = Model(torch.Generator().manual_seed(seed))
    code.inject_lora(model, ["q_proj", "v_proj"], RANK, ALPHA)
    code.load_lora_state_dict(model, factors_of(trained_model))
    return {"output": model(IDS), "trainable": trainable_names(model)}


def _load_broken(code, rng, spoil) -> dict:
    """What loading a spoilt state does: the error, and whether anything was loaded."""
    model = injected(code, rng)
    before = factors_of(model)
    state = {name: tensor + 1 for name, tensor in before.items()}
    name = spoil(state)
    result = refusal(lambda: code.load_lora_state_dict(model, state), name)
    return {
        "error": result,
        "tensors that changed": [n for n, t in factors_of(model).items() if not torch.equal(t, before[n])],
    }


LAST = "blocks.1.v_proj.lora_B"


@check(
    "load_lora_state_dict",
    1,
    (
        "Compare the names of the state with those of the model before you copy anything.",
        "A name of the model that the state lacks is a ValueError that contains the name.",
        "missing = [name for name in own if name not in state]",
    ),
)
def refuses_a_missing_tensor(code, rng):
    """If the state lacks a tensor, a ValueError names it and nothing is loaded."""

    def spoil(state):
        del state[LAST]
        return LAST

    return _load_broken(code, rng, spoil)


@check(
    "load_lora_state_dict",
    1,
    (
        "Could the state hold a name that the model does not have?",
        "A name of the state that the model lacks is a ValueError too.",
        "unexpected = [name for name in state if name not in own]",
    ),
)
def refuses_an_unexpected_tensor(code, rng):
    """If the state holds a tensor that has no place, a ValueError names it and nothing is loaded."""

    def spoil(state):
        state["blocks.7.q_proj.lora_A"] = torch.zeros(RANK, 6, dtype=torch.float64)
        return "blocks.7.q_proj.lora_A"

    return _load_broken(code, rng, spoil)


@check(
    "load_lora_state_dict",
    2,
    (
        "copy_ broadcasts: a row fits into a matrix without a word.",
        "Compare the shapes of all tensors before the first copy.",
        "if state[name].shape != parameter.shape: raise ValueError(...)",
    ),
)
def refuses_a_misshapen_tensor(code, rng):
    """If a tensor has another shape, even one that would broadcast, a ValueError names it and nothing is loaded."""

    def one_row(state):
        state[LAST] = state[LAST][:1]
        return LAST

    def transposed(state):
        state[LAST] = state[LAST].T.contiguous()
        return LAST

    return {
        "one row instead of the matrix": _load_broken(code, rng, one_row),
        "the transposed matrix": _load_broken(code, rng, transposed),
    }


# --- merge_lora ---------------------------------------------------------------------------------


@check(
    "merge_lora",
    2,
    (
        "The result must look as if LoRA had never been there.",
        "Merge each LoRALinear, then put its base in its place.",
        "module.merge(); setattr(parent, last, module.base)",
    ),
)
def leaves_plain_linear_layers(code, rng):
    """merge_lora returns the model with plain nn.Linear layers and the tensor names of the original."""
    model = injected(code, rng, ["q_proj", "v_proj", "head"])
    result = code.merge_lora(model)
    return {
        "returns the model": result is model,
        "LoRALinear left": wrapped_names(code, model),
        "class of blocks.1.v_proj": type(model.blocks[1].v_proj).__name__,
        "tensor names": sorted(model.state_dict()),
    }


@check(
    "merge_lora",
    2,
    (
        "The merged weight is W0 plus the delta, and the bias stays.",
        "Call merge() before you take the base out.",
        "module.merge(), then use module.base",
    ),
)
def merged_model_answers_the_same(code, rng):
    """The merged model gives the output of the adapted one."""
    model = injected(code, rng, ["q_proj", "v_proj", "head"]).eval()
    before = model(IDS).detach()
    code.merge_lora(model)
    return {"output": model(IDS), "change of the output": model(IDS) - before}


@check(
    "merge_lora",
    1,
    (
        "Some layers may be merged already. What must not happen to them?",
        "merge() does nothing on a merged layer; adding the delta by hand would add it twice.",
        "Call module.merge() instead of computing the sum again.",
    ),
)
def accepts_layers_that_are_merged(code, rng):
    """Layers that are merged already get their update once."""
    model = injected(code, rng).eval()
    before = model(IDS).detach()
    model.blocks[0].q_proj.merge()
    code.merge_lora(model)
    return {"change of the output": model(IDS) - before}
