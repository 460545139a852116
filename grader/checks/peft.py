"""The checks of the PEFT problem.

The models have layers whose names contain each other, unequal widths, layers without bias, and parameters whose
names only look like biases. What a learner may name freely (the prompt, the place of an adapter) is found by what it is.
"""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import Unusable, check, grad_of, rand, refusal, set_parameter

VOCAB, WIDTH, NARROW = 9, 6, 4
IDS = ((1, 4, 2, 8, 5), (7, 0, 3, 6, 1), (2, 2, 8, 1, 4))


# --- material -----------------------------------------------------------------------------------


def linear(rng, n_in, n_out, bias=True) -> nn.Linear:
    """A linear layer with random weights."""
    layer = nn.Linear(n_in, n_out, bias=bias, dtype=torch.float64)
    for parameter in layer.parameters():
        parameter.data = rand(rng, *parameter.shape)
    return layer


class Block(nn.Module):
    """One residual block whose layers' names contain each other."""

    def __init__(self, rng):
        super().__init__()
        self.o_proj = linear(rng, WIDTH, WIDTH)
        self.my_o_proj = linear(rng, WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, dtype=torch.float64)
        self.o_proj_gate = nn.Sequential(linear(rng, WIDTH, WIDTH), nn.Tanh())
        self.down_proj = linear(rng, WIDTH, NARROW, bias=False)
        self.up_proj = linear(rng, NARROW, WIDTH)

    def forward(self, x):
        mixed = self.o_proj(self.norm(x)) + self.my_o_proj(x).tanh() + self.o_proj_gate(x)
        return x + self.up_proj(self.down_proj(mixed).tanh())


class Causal(nn.Module):
    """A small causal model with logits (B, T, VOCAB). What a token sees depends on the mask and on its position."""

    def __init__(self, rng):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH, dtype=torch.float64)
        self.embed.weight.data = rand(rng, VOCAB, WIDTH)
        self.blocks = nn.ModuleList(Block(rng) for _ in range(2))
        self.head = linear(rng, WIDTH, VOCAB)

    def get_input_embeddings(self):
        return self.embed

    def forward(self, input_ids=None, attention_mask=None, *, inputs_embeds=None):
        x = self.embed(input_ids) if inputs_embeds is None else inputs_embeds
        mask = torch.ones(x.shape[:2]) if attention_mask is None else attention_mask
        seen = mask.to(x.dtype).cumsum(dim=1).clamp(min=1).unsqueeze(-1)  # real tokens so far: the position
        past = (x * mask.unsqueeze(-1)).cumsum(dim=1) / seen
        x = x + past + seen.log()
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Odd(nn.Module):
    """Parameters whose names look like biases, and a bias that is no layer's."""

    def __init__(self, rng):
        super().__init__()
        self.bias_gate = linear(rng, WIDTH, WIDTH, bias=False)
        self.unbias = nn.Parameter(rand(rng, WIDTH))
        self.shift = nn.ParameterDict({"bias": nn.Parameter(rand(rng, WIDTH))})
        self.norm = nn.LayerNorm(WIDTH, dtype=torch.float64)
        self.classifier = linear(rng, WIDTH, 3)

    def forward(self, x):
        return self.classifier(self.norm(self.bias_gate(x) * self.unbias + self.shift["bias"]))


def ids() -> torch.Tensor:
    return torch.tensor(IDS)


def trainable_names(model) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def trainable(model) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def snapshot(model) -> dict[str, tuple[nn.Parameter, torch.Tensor]]:
    """Every parameter of the model by name, with a copy of its numbers."""
    return {name: (parameter, parameter.detach().clone()) for name, parameter in model.named_parameters()}


def moved(before: dict) -> list[str]:
    """The names of the parameters that are not as they were, to the last bit."""
    return [name for name, (parameter, numbers) in before.items() if not torch.equal(parameter, numbers)]


def descend(parameters, loss_of, steps=20, rate=0.01) -> dict:
    """Plain gradient descent on these parameters. Returns the loss before and after."""
    losses = []
    for _ in range(steps):
        loss = loss_of()
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                if gradient is not None:
                    parameter -= rate * gradient
    return {"loss before": losses[0], "loss after": losses[-1]}


# --- freeze, count_parameters -------------------------------------------------------------------


@check(
    "freeze",
    1,
    (
        "Which attribute of a parameter tells autograd to make a gradient for it?",
        "Set requires_grad to False on every parameter, and give the model back.",
        "model.requires_grad_(False) does it for all parameters and returns the model.",
    ),
)
def nothing_requires_a_gradient(code, rng):
    """After freeze no parameter requires a gradient, none has changed, and the model itself is returned."""
    model = Causal(rng)
    model.head.requires_grad_(False)
    before = snapshot(model)
    result = code.freeze(model)
    return {"trainable": trainable_names(model), "returns the model": result is model, "moved": moved(before)}


@check(
    "freeze",
    1,
    (
        "Freezing is not the same as switching gradients off.",
        "Gradients must still pass through a frozen model to what was added to it. eval() and no_grad() are other things.",
        "Only requires_grad changes: no eval(), no no_grad(), no detach.",
    ),
)
def gradients_still_pass_through(code, rng):
    """A frozen model passes gradients on to its inputs, keeps its mode, and gets no gradients itself."""
    model = Causal(rng).train()
    code.freeze(model)
    x = rand(rng, 2, 5, WIDTH).requires_grad_()
    model(inputs_embeds=x).square().sum().backward()
    return {
        "gradient of the inputs": grad_of(x),
        "train mode": model.training,
        "gradients are on": torch.is_grad_enabled(),
        "parameters with a gradient": [name for name, p in model.named_parameters() if p.grad is not None],
    }


@check(
    "count_parameters",
    1,
    (
        "How many numbers does a matrix of 3 rows and 4 columns hold?",
        "Add up numel(): of those that require a gradient, and of all.",
        "ParameterCount(trainable=sum(p.numel() for p in ... if p.requires_grad), total=sum(...))",
    ),
)
def counts_numbers(code, rng):
    """The result has the attributes trainable and total, in this order, and counts numbers, not tensors."""
    model = Causal(rng)
    model.blocks.requires_grad_(False)
    count = code.count_parameters(model)
    return {"trainable": count.trainable, "total": count.total, "as a tuple": list(count)}


@check(
    "count_parameters",
    2,
    (
        "A language model often uses one matrix twice: to read tokens and to score them.",
        "model.parameters() lists a shared tensor once; state_dict() and a walk over modules list it twice.",
        "sum(p.numel() for p in model.parameters())",
    ),
)
def a_shared_tensor_counts_once(code, rng):
    """A tensor that two modules share counts once, trainable or frozen."""
    model = Causal(rng)
    model.head.weight = model.embed.weight
    seen = {"trained": list(code.count_parameters(model))}
    model.embed.weight.requires_grad_(False)
    return seen | {"with the shared tensor frozen": list(code.count_parameters(model))}


@check(
    "count_parameters",
    1,
    (
        "What is the count of a model that is frozen, or has no parameters?",
        "Buffers, such as the running mean of a batch norm, are no parameters.",
        "Use parameters(), not state_dict() or buffers().",
    ),
)
def counts_nothing_that_is_no_parameter(code, rng):
    """Buffers do not count; a frozen model has 0 trainable; a module without parameters has (0, 0)."""
    norm = nn.BatchNorm1d(5)
    return {
        "a batch norm of width 5": list(code.count_parameters(norm)),
        "frozen": list(code.count_parameters(nn.Linear(4, 3).requires_grad_(False))),
        "no parameters": list(code.count_parameters(nn.Tanh())),
    }


# --- apply_bitfit -------------------------------------------------------------------------------


@check(
    "apply_bitfit",
    3,
    (
        "BitFit trains the small part that most people leave out.",
        "Train what is named bias: the last part of the qualified name. Freeze all the rest.",
        'name.rpartition(".")[2] == "bias"',
    ),
)
def only_biases_train(code, rng):
    """All biases of layers and norms train, and nothing else; their names are returned in model order."""
    model = Causal(rng)
    names = code.apply_bitfit(model)
    return {"returned": list(names), "trainable": trainable_names(model)}


@check(
    "apply_bitfit",
    2,
    (
        "Is every name with the letters bias in it a bias?",
        "Compare the last part of the name, not a piece of it: bias_gate.weight is a weight.",
        'name == "bias" or name.endswith(".bias")',
    ),
)
def a_bias_is_known_by_its_last_name_part(code, rng):
    """`bias_gate.weight` and `unbias` are no biases; a parameter `shift.bias` is one, whatever holds it."""
    model = Odd(rng)
    names = code.apply_bitfit(model)
    single = nn.Linear(3, 2)
    return {
        "returned": list(names),
        "trainable": trainable_names(model),
        "of a single layer": list(code.apply_bitfit(single)),
    }


@check(
    "apply_bitfit",
    2,
    (
        "A new task head must be trained as a whole.",
        "A parameter trains, too, if its qualified name contains one of the strings of `also`.",
        "any(part in name for part in also)",
    ),
)
def also_trains_what_is_named(code, rng):
    """Parameters whose qualified name contains a string of `also` train, too; names come in model order."""
    seen = {}
    for what, model, also in (
        ("classifier", Odd(rng), ["classifier"]),
        ("head and 1.o_proj", Causal(rng), ("head", "1.o_proj")),
        ("the whole name norm.weight", Odd(rng), ["norm.weight"]),
    ):
        names = code.apply_bitfit(model, also=also)
        seen[f"also {what}"] = {"returned": list(names), "trainable": trainable_names(model)}
    return seen


@check(
    "apply_bitfit",
    1,
    (
        "What if the model comes partly frozen?",
        "What trains afterwards depends on the names alone: freeze all, then thaw the biases.",
        "First freeze(model), then requires_grad_(True) for the chosen ones.",
    ),
)
def earlier_freezing_plays_no_role(code, rng):
    """Biases that were frozen before train afterwards, weights that were trainable do not, and all keep their numbers."""
    model = Causal(rng)
    model.blocks[0].requires_grad_(False)
    before = snapshot(model)
    names = code.apply_bitfit(model)
    return {"returned": list(names), "trainable": trainable_names(model), "moved": moved(before)}


@check(
    "apply_bitfit",
    1,
    (
        "Many recent models have hardly any bias.",
        "If there is no bias at all, raise a ValueError instead of training nothing.",
        'if not biases: raise ValueError("model has no bias")',
    ),
)
def refuses_a_model_without_bias(code, rng):
    """A model without any bias is a ValueError, also if `also` would match something."""
    bare = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh(), nn.Linear(3, 2, bias=False))
    return {
        "no bias": refusal(lambda: code.apply_bitfit(bare)),
        "no bias, but also": refusal(lambda: code.apply_bitfit(bare, also=["2.weight"])),
    }


@check(
    "apply_bitfit",
    1,
    (
        "After some steps, which tensors may have moved?",
        "The biases alone; the loss still falls.",
        "requires_grad is all that has to change.",
    ),
)
def training_moves_the_biases_alone(code, rng):
    """Gradient descent on what is trainable lowers the loss and leaves the weights as they were, bit for bit."""
    model = Causal(rng)
    code.apply_bitfit(model)
    before = snapshot(model)
    target = rand(rng, 3, 5, VOCAB)
    losses = descend(trainable(model), lambda: F.mse_loss(model(ids()), target))
    return losses | {"moved": moved(before)}


# --- Adapter ------------------------------------------------------------------------------------

BOTTLENECK = 3


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


# --- add_adapters -------------------------------------------------------------------------------


def adapted(code, rng, targets=("o_proj", "down_proj"), fill=True):
    """A model with adapters in float64, those of equal width with equal numbers, and what the call returned."""
    model = Causal(rng)
    names = code.add_adapters(model, list(targets), BOTTLENECK)
    model.double()
    if fill:
        for adapter in (module for module in model.modules() if isinstance(module, code.Adapter)):
            _fill_by_width(adapter)
    return model, names


def _fill_by_width(adapter) -> None:
    rng = torch.Generator().manual_seed(adapter.up.out_features)
    for name in ("down", "up"):
        layer = getattr(adapter, name)
        set_parameter(layer, "weight", rand(rng, layer.out_features, layer.in_features))
        set_parameter(layer, "bias", rand(rng, layer.out_features))


@check(
    "add_adapters",
    2,
    (
        "Which modules are meant by o_proj? And is my_o_proj one of them?",
        "Compare the last part of the qualified name with the targets, by ==.",
        'name.rpartition(".")[2] in target_modules',
    ),
)
def targets_match_by_their_last_name_part(code, rng):
    """The qualified names of the targets are returned in model order; `my_o_proj` and `o_proj_gate` are no `o_proj`."""
    found = {}
    for targets in (["o_proj"], ["up_proj", "down_proj"], ["head"], ["o_proj", "no_such_layer"]):
        model, names = adapted(code, rng, targets)
        count = sum(isinstance(module, code.Adapter) for module in model.modules())
        found[f"targets {', '.join(targets)}"] = {"returned": list(names), "adapters in the model": count}
    return found


@check(
    "add_adapters",
    2,
    (
        "Which parameters should an optimizer find?",
        "Freeze the model first; what you add afterwards is trainable by itself.",
        "model.requires_grad_(False), then add the adapters.",
    ),
)
def only_the_adapters_train(code, rng):
    """Every parameter of the model is frozen, and those of the adapters train."""
    model = Causal(rng)
    before = snapshot(model)
    code.add_adapters(model, ["o_proj", "down_proj"], BOTTLENECK)
    inside = {id(p) for m in model.modules() if isinstance(m, code.Adapter) for p in m.parameters()}
    return {
        "parameters of the model that train": [name for name, (p, _) in before.items() if p.requires_grad],
        "trainable, but of no adapter": sum(id(p) not in inside for p in trainable(model)),
        "of an adapter, but frozen": len(inside - {id(p) for p in trainable(model)}),
        "moved": moved(before),
    }


@check(
    "add_adapters",
    2,
    (
        "An adapter follows a layer. Which width has what it gets?",
        "The width is the layer's out_features, not its in_features and not that of the model.",
        "Adapter(module.out_features, bottleneck)",
    ),
)
def adapters_have_the_width_of_the_output(code, rng):
    """Each adapter has the width of its layer's output and the bottleneck that was asked for."""
    model, _ = adapted(code, rng, ["o_proj", "down_proj", "head"], fill=False)
    return {"shapes of what trains": sorted(str(list(parameter.shape)) for parameter in trainable(model))}


@check(
    "add_adapters",
    1,
    (
        "What does a new adapter do to its input?",
        "New adapters are the identity, so the model answers as before.",
        "Call the module, then its adapter.",
    ),
)
def model_answers_as_before(code, rng):
    """Right after the call the model gives the same logits, in train and in eval mode."""
    model = Causal(rng)
    before = model(ids()).detach()
    code.add_adapters(model, ["o_proj", "down_proj", "head"], BOTTLENECK)
    model.double()
    return {f"change of the logits, {m} mode": model.train(m == "train")(ids()) - before for m in ("train", "eval")}


@check(
    "add_adapters",
    3,
    (
        "Does the adapter stand before or behind the layer?",
        "The layer runs, then the adapter runs on what the layer returns.",
        "adapter(module(x)), as a wrapper module or by a forward hook that returns the new output",
    ),
)
def adapters_act_on_the_output(code, rng):
    """With adapters that are not zero the logits are those of adapter(layer(x)) in every target's place."""
    model, _ = adapted(code, rng)
    return {"logits": model(ids()), "logits of a second call": model(ids())}


@check(
    "add_adapters",
    2,
    (
        "Gradients must pass through frozen layers to reach early adapters.",
        "Freeze by requires_grad alone; do not run the frozen layer under no_grad.",
        "No detach and no no_grad between the adapters.",
    ),
)
def every_adapter_gets_its_gradient(code, rng):
    """The adapters of all blocks get the gradients of the formula; the frozen layers get none."""
    model, _ = adapted(code, rng)
    model(ids()).square().mean().backward()
    norms = sorted(parameter.grad.norm().item() for parameter in trainable(model) if parameter.grad is not None)
    return {
        "norms of the gradients": norms,
        "frozen parameters with a gradient": sum(p.grad is not None for p in model.parameters() if not p.requires_grad),
    }


@check(
    "add_adapters",
    2,
    (
        "Train for some steps: what may have moved?",
        "The adapters alone. The tensors of the model stay bit for bit.",
        "Only the adapters' parameters require gradients.",
    ),
)
def training_moves_the_adapters_alone(code, rng):
    """Gradient descent on what is trainable lowers the loss and leaves the model's own tensors as they were."""
    model = Causal(rng)
    before = snapshot(model)
    code.add_adapters(model, ["o_proj", "down_proj"], BOTTLENECK)
    model.double()
    for adapter in (module for module in model.modules() if isinstance(module, code.Adapter)):
        _fill_by_width(adapter)
    target = rand(rng, 3, 5, VOCAB)
    losses = descend(trainable(model), lambda: F.mse_loss(model(ids()), target), rate=0.001)
    return losses | {"moved": moved(before)}


@check(
    "add_adapters",
    1,
    (
        "What happens if a target name is misspelt?",
        "If nothing matches, raise a ValueError that lists the modules of the model.",
        'raise ValueError(f"nothing matches {target_modules}; there are {names}")',
    ),
)
def refuses_targets_that_match_nothing(code, rng):
    """If no module matches, a ValueError names the modules that exist."""
    return {
        "a misspelt name": refusal(
            lambda: code.add_adapters(Causal(rng), ["oproj"], 2), "blocks.0.o_proj", "blocks.1.down_proj", "head"
        ),
        "no target": refusal(lambda: code.add_adapters(Causal(rng), [], 2), "head"),
    }


# --- PromptTuning -------------------------------------------------------------------------------

TOKENS = 4  # virtual ones


def prompt_of(wrapped, tokens=TOKENS) -> nn.Parameter:
    """The prompt, whatever its name and shape: the one parameter that trains."""
    found = trainable(wrapped)
    if len(found) != 1 or found[0].numel() != tokens * WIDTH:
        sizes = ", ".join(str(tuple(parameter.shape)) for parameter in found) or "none"
        raise Unusable(f"one trainable tensor with {tokens} × {WIDTH} numbers is needed to go on; trainable: {sizes}")
    return found[0]


def prompted(code, rng, tokens=TOKENS):
    """A model behind a prompt of known numbers."""
    wrapped = code.PromptTuning(Causal(rng), tokens)
    prompt = prompt_of(wrapped, tokens)
    with torch.no_grad():
        prompt.copy_(rand(rng, tokens, WIDTH).view(prompt.shape))
    return wrapped


def ones() -> torch.Tensor:
    return torch.ones(3, 5, dtype=torch.long)


@check(
    "PromptTuning",
    2,
    (
        "What is learned? Vectors, not words.",
        "One parameter of num_virtual_tokens × D numbers trains; the model is frozen.",
        "self.model = freeze(model); self.prompt = nn.Parameter(...)",
    ),
)
def only_the_prompt_trains(code, rng):
    """num_virtual_tokens × D numbers train, and the wrapped model is frozen."""
    model = Causal(rng)
    wrapped = code.PromptTuning(model, TOKENS)
    own = {id(parameter) for parameter in model.parameters()}
    return {
        "trainable numbers": sum(parameter.numel() for parameter in trainable(wrapped)),
        "parameters of the model that train": trainable_names(model),
        "the model is a part of the wrapper": own <= {id(parameter) for parameter in wrapped.parameters()},
        "trainable numbers for 7 tokens": sum(p.numel() for p in trainable(code.PromptTuning(Causal(rng), 7))),
    }


@check(
    "PromptTuning",
    2,
    (
        "A start that the model knows: what has it seen in the place of tokens?",
        "Each row of the prompt is the embedding of some real token.",
        "embeddings[torch.randint(len(embeddings), (num_virtual_tokens,))].clone()",
    ),
)
def starts_from_real_tokens(code, rng):
    """Each row of the prompt is the embedding of some token of the vocabulary."""
    model, tokens = Causal(rng), 8
    rows = prompt_of(code.PromptTuning(model, tokens), tokens).detach().reshape(tokens, WIDTH)
    known = (rows[:, None] == model.embed.weight.detach()).all(dim=-1).any(dim=-1)
    return {
        "rows that are an embedding": int(known.sum()),
        "rows that are zero": int((rows == 0).all(dim=-1).sum()),
        "all rows are the same": bool((rows == rows[0]).all()),
    }


@check(
    "PromptTuning",
    1,
    (
        "If the prompt were a view of the embedding, what would training do?",
        "The prompt is a copy with memory of its own.",
        "nn.Parameter(embeddings[drawn].detach().clone())",
    ),
)
def the_prompt_is_a_copy(code, rng):
    """Training the prompt leaves the embedding as it is, and the other way round."""
    model = Causal(rng)
    wrapped = code.PromptTuning(model, TOKENS)
    prompt, before = prompt_of(wrapped), model.embed.weight.detach().clone()
    with torch.no_grad():
        prompt += 1
        embedding_moved = not torch.equal(model.embed.weight, before)
        kept = prompt.detach().clone()
        model.embed.weight += 1
    return {"the embedding has moved": embedding_moved, "the prompt has moved": not torch.equal(prompt, kept)}


@check(
    "PromptTuning",
    3,
    (
        "Where does the prompt stand, and which logits does the caller want?",
        "The prompt comes first. The logits of its positions are dropped, so T logits a row are left.",
        "model(inputs_embeds=torch.cat([prompt, tokens], dim=1), ...)[:, num_virtual_tokens:]",
    ),
)
def logits_of_the_real_positions(code, rng):
    """With a known prompt the logits (B, T, V) are those of the real positions behind it."""
    wrapped = prompted(code, rng)
    return {"logits": wrapped(ids(), ones())}


@check(
    "PromptTuning",
    3,
    (
        "May the tokens look at the prompt? Who tells the model?",
        "The mask grows by ones, one for each virtual token, in front of the given mask.",
        "torch.cat([attention_mask.new_ones(B, num_virtual_tokens), attention_mask], dim=1)",
    ),
)
def the_mask_grows_by_ones(code, rng):
    """With rows padded on the right or on the left the logits of the real tokens are right."""
    wrapped = prompted(code, rng)
    right = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    left = right.flip(1)
    return {
        "padding on the right": wrapped(ids(), right)[right.bool()],
        "padding on the left": wrapped(ids(), left)[left.bool()],
        "the given mask is unchanged": bool((right.sum(dim=1) == torch.tensor([5, 2, 3])).all()),
    }


@check(
    "PromptTuning",
    2,
    (
        "The same prompt stands before every text of the batch.",
        "expand gives each row the same prompt; its gradient is the sum over the rows.",
        "self.prompt.expand(len(input_ids), -1, -1)",
    ),
)
def the_prompt_gets_its_gradient(code, rng):
    """The gradient of the prompt is that of the formula, summed over the batch; the model gets none."""
    wrapped = prompted(code, rng)
    prompt = prompt_of(wrapped)
    wrapped(ids(), ones()).square().mean().backward()
    gradient = grad_of(prompt)
    return {
        "gradient of the prompt": gradient if isinstance(gradient, str) else gradient.reshape(TOKENS, WIDTH),
        "parameters of the model with a gradient": sum(
            p.grad is not None for p in wrapped.parameters() if p is not prompt
        ),
    }


@check(
    "PromptTuning",
    1,
    (
        "One text, one token, one virtual token: do your shapes still hold?",
        "Take the batch size from input_ids, and the length of the prompt from the prompt.",
        "len(input_ids), not a number that was fixed in the constructor",
    ),
)
def works_with_one_of_each(code, rng):
    """A batch of one, a text of one token and a prompt of one vector work."""
    wrapped, single = prompted(code, rng), prompted(code, rng, tokens=1)
    one = torch.tensor([[3]])
    return {
        "one text": wrapped(ids()[:1], ones()[:1]),
        "one token": wrapped(one, torch.ones_like(one)),
        "one virtual token": single(ids()[:2], ones()[:2]),
    }


@check(
    "PromptTuning",
    1,
    (
        "Train the prompt for some steps: the loss must fall, and one tensor may move.",
        "Nothing between prompt and logits may be detached.",
        "Use the parameter itself in forward.",
    ),
)
def training_moves_the_prompt_alone(code, rng):
    """Gradient descent on the prompt lowers the loss and leaves the model as it was, bit for bit."""
    wrapped = prompted(code, rng)
    prompt = prompt_of(wrapped)
    before = {name: pair for name, pair in snapshot(wrapped).items() if pair[0] is not prompt}
    target = rand(rng, 3, 5, VOCAB)
    losses = descend([prompt], lambda: F.mse_loss(wrapped(ids(), ones()), target))
    return losses | {"moved, besides the prompt": moved(before)}


# --- IA3Linear ----------------------------------------------------------------------------------

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


# --- adapter_state_dict, load_adapter -----------------------------------------------------------


def partly_trained(rng) -> Causal:
    """A model of which a part trains: what a PEFT method of any kind would leave."""
    model = Causal(rng).requires_grad_(False)
    model.blocks[0].norm.requires_grad_(True)
    model.blocks[1].o_proj.weight.requires_grad_(True)
    model.head.bias.requires_grad_(True)
    return model


def state_of(model) -> dict[str, torch.Tensor]:
    """The trainable tensors by name, read without the learner's function."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


@check(
    "adapter_state_dict",
    2,
    (
        "What must be saved so that another machine with the same base can go on?",
        "The trainable tensors alone, under their qualified names.",
        "{name: p for name, p in model.named_parameters() if p.requires_grad}",
    ),
)
def saves_what_trains(code, rng):
    """The state holds the trainable tensors by qualified name, and nothing else."""
    model = partly_trained(rng)
    state = code.adapter_state_dict(model)
    return {
        "names": sorted(state),
        "tensors": {name: state[name] for name in sorted(state)},
        "names when nothing trains": sorted(code.adapter_state_dict(Causal(rng).requires_grad_(False))),
    }


@check(
    "load_adapter",
    2,
    (
        "Copy each tensor into the parameter of the same name.",
        "Copy in place, so that the parameters stay the objects that an optimizer holds.",
        "with torch.no_grad(): parameter.copy_(state[name])",
    ),
)
def loads_what_was_saved(code, rng):
    """The trainable tensors take the saved numbers; they stay the same objects, trainable, and all else is as it was."""
    model = partly_trained(rng)
    before = snapshot(model)
    state = {name: tensor + 1 for name, tensor in state_of(model).items()}
    code.load_adapter(model, dict(reversed(state.items())))
    after = dict(model.named_parameters())
    for tensor in state.values():
        tensor.zero_()  # what was loaded must not hang on the state
    return {
        "moved": [name for name, (_, numbers) in before.items() if not torch.equal(after[name], numbers)],
        "tensors": {name: after[name] for name in sorted(state)},
        "the parameters are new objects": [name for name, (p, _) in before.items() if after[name] is not p],
        "trainable": trainable_names(model),
    }


LAST = "head.bias"


def _load_broken(code, rng, spoil) -> dict:
    """What loading a spoilt state does: the error, and whether anything was loaded."""
    model = partly_trained(rng)
    before = snapshot(model)
    state = {name: tensor + 1 for name, tensor in state_of(model).items()}
    name = spoil(state)
    error = refusal(lambda: code.load_adapter(model, state), name)
    return {"error": error, "moved": moved(before), "trainable": trainable_names(model)}


@check(
    "load_adapter",
    1,
    (
        "Compare the names of the state with those of the model before you copy anything.",
        "A trainable tensor that the state lacks is a ValueError that contains its name.",
        "missing = [name for name in own if name not in state]",
    ),
)
def refuses_a_missing_tensor(code, rng):
    """If the state lacks a tensor, a ValueError names it and nothing is loaded."""

    def spoil(state):
        del state[LAST]
        return LAST

    return _load_broken(code, rng, spoil) | {
        "an empty state": refusal(lambda: code.load_adapter(partly_trained(rng), {}))
    }


@check(
    "load_adapter",
    1,
    (
        "Could the state hold a name that does not train here?",
        "A name of the state that is no trainable tensor of the model is a ValueError, too, also if it is a frozen one.",
        "unexpected = [name for name in state if name not in own]",
    ),
)
def refuses_an_unexpected_tensor(code, rng):
    """If the state holds a tensor without a place, or one for a frozen place, a ValueError names it and nothing is loaded."""

    def without_a_place(state):
        state["blocks.7.norm.bias"] = torch.zeros(WIDTH, dtype=torch.float64)
        return "blocks.7.norm.bias"

    def frozen(state):
        state["head.weight"] = torch.zeros(VOCAB, WIDTH, dtype=torch.float64)
        return "head.weight"

    return {
        "no such tensor": _load_broken(code, rng, without_a_place),
        "a frozen tensor": _load_broken(code, rng, frozen),
    }


@check(
    "load_adapter",
    2,
    (
        "copy_ broadcasts: one number fits into every tensor without a word.",
        "Compare the shapes of all tensors before the first copy.",
        "if state[name].shape != parameter.shape: raise ValueError(...)",
    ),
)
def refuses_a_misshapen_tensor(code, rng):
    """If a tensor has another shape, even one that would broadcast, a ValueError names it and nothing is loaded."""

    def one_number(state):
        state[LAST] = state[LAST][:1]
        return LAST

    def one_row(state):
        state["blocks.1.o_proj.weight"] = state["blocks.1.o_proj.weight"][:1]
        return "blocks.1.o_proj.weight"

    def flattened(state):
        state["blocks.1.o_proj.weight"] = state["blocks.1.o_proj.weight"].flatten()
        return "blocks.1.o_proj.weight"

    spoilt = {"one number": one_number, "one row": one_row, "a flat matrix": flattened}
    return {what: _load_broken(code, rng, spoil) for what, spoil in spoilt.items()}


# --- training_memory ----------------------------------------------------------------------------


@check(
    "training_memory",
    2,
    (
        "16 bytes for each trained parameter: which ones?",
        "2 for the weight, 2 for its gradient, 12 for the optimizer: an fp32 copy and two moments.",
        "total · weight_bytes + trainable · (grad_bytes + optimizer_bytes)",
    ),
)
def full_fine_tuning_costs_sixteen_bytes(code, rng):
    """7 billion parameters, all trained: 112 GB, in its parts."""
    return dict(code.training_memory(7_000_000_000, 7_000_000_000))


@check(
    "training_memory",
    3,
    (
        "Which of the three parts shrinks when little is trained?",
        "All weights are held. Gradients and optimizer state exist for trained parameters alone.",
        "weights from total; gradients and optimizer from trainable",
    ),
)
def frozen_weights_have_no_gradients(code, rng):
    """Frozen parameters cost their weight, and neither gradients nor optimizer state."""
    return {
        "13 of 1000 trained": dict(code.training_memory(1000, 13)),
        "nothing trained": dict(code.training_memory(1000, 0)),
    }


@check(
    "training_memory",
    1,
    (
        "Which argument belongs to which part?",
        "Each part multiplies its own number of bytes.",
        "weights: total * weight_bytes; gradients: trainable * grad_bytes; optimizer: trainable * optimizer_bytes",
    ),
)
def other_formats_have_other_bytes(code, rng):
    """weight_bytes, grad_bytes and optimizer_bytes each act on their own part; total is the sum."""
    return {
        "fp32, Adam": dict(code.training_memory(1000, 17, weight_bytes=4, grad_bytes=4, optimizer_bytes=8)),
        "8-bit weights, SGD": dict(code.training_memory(1000, 17, weight_bytes=1, grad_bytes=3, optimizer_bytes=0)),
    }
