"""The checks of `quantize_model`. What its report calls a layer is compared with what the model then holds."""

from itertools import chain

import torch
from torch import nn

from grader.checks import check, refusal, shuffled, some, tried, whole
from grader.checks.qlora.material import Kind, LookAlike, numbers_in
from grader.checks.qlora.network import NAMES, PLACES, WIDTH, Chain, Tied, layer, lora, nested, text


def places(model: nn.Module, kind: type) -> list[str]:
    """Where modules of this kind stand in the model, each name of a module counted."""
    return [name for name, module in model.named_modules(remove_duplicate=False) if isinstance(module, kind)]


def seen_in(code, rng, model: nn.Module, x: torch.Tensor | None = None, **options) -> dict:
    """What a call of quantize_model returns and what it makes of the model."""
    result = code.quantize_model(model, **options)
    new = places(model, code.NF4Linear)  # which may be a subclass of nn.Linear
    return {
        "layers": list(result["layers"]),
        "where an NF4Linear stands": new,
        "where another nn.Linear stands": [name for name in places(model, nn.Linear) if name not in new],
        "output": model(numbers_in(rng, 3, WIDTH) if x is None else x),
    }


def bytes_in(model: nn.Module) -> int:
    """The bytes of its parameters and buffers, a shared one once."""
    return sum(tensor.nbytes for tensor in {id(t): t for t in chain(model.parameters(), model.buffers())}.values())


@check(
    "quantize_model",
    2,
    (
        "named_modules() walks through the whole tree. How does a new module get into the place of an old one?",
        "Split the qualified name at the last dot, and set the attribute of the parent.",
        "parent, _, last = name.rpartition('.'); setattr(model.get_submodule(parent), last, NF4Linear(module))",
    ),
)
def replaces_layers_at_every_depth(code, rng):
    """Every nn.Linear of the model, at whatever depth, becomes an NF4Linear in its place; their names come back in
    model order."""
    return seen_in(code, rng, nested(rng, some(rng, 6, NAMES)))


@check(
    "quantize_model",
    1,
    (
        "Which modules multiply by a weight, and which of them are an nn.Linear?",
        "isinstance(module, nn.Linear) also finds subclasses, and leaves embeddings and convolutions alone.",
        "if isinstance(module, nn.Linear), not type(module) is nn.Linear and not hasattr(module, 'in_features')",
    ),
)
def subclasses_are_linear_layers(code, rng):
    """Subclasses of nn.Linear are replaced, too. Modules of other kinds, with a weight and in_features as well, stay."""
    names = some(rng, 8, NAMES)
    more = {
        names[6]: layer(rng, kind=Kind),
        names[7]: LookAlike(WIDTH, WIDTH),
        "conv": nn.Sequential(nn.Unflatten(1, (1, WIDTH)), nn.Conv1d(1, 1, 1, bias=False), nn.Flatten()),
    }
    more["conv"][1].weight.data.fill_(whole(rng, 1, 7) / 8)
    model = nested(rng, names[:6], [Chain(dict(shuffled(rng, list(more.items()))))])
    return seen_in(code, rng, model) | {"where the look-alike stands": places(model, LookAlike)}


@check(
    "quantize_model",
    2,
    (
        'Does "lm_head" in skip mean my_lm_head, or the layers inside a container of that name?',
        "Compare the last part of the qualified name as a whole with each name in skip.",
        "name.rpartition('.')[2] in skip",
    ),
)
def skips_by_the_last_name_part(code, rng):
    """A layer whose last name part is in skip stays, at whatever depth. Names that merely contain it, and containers
    called so, do not protect a layer. Without skip, lm_head stays."""
    seen = {}
    for name, given in (("without skip", False), ("with names in skip", True)):
        one, other, *names = some(rng, 8, NAMES)
        skipped = one if given else "lm_head"
        prefix, suffix = some(rng, 1, ["my_", "cross_", "x"])[0], some(rng, 1, ["_gate", "_b", "2"])[0]
        traps = {
            prefix + skipped: layer(rng),
            skipped + suffix: layer(rng),
            skipped: nn.Sequential(nn.Tanh(), layer(rng)),  # a container
            "lm_head" if given else one: layer(rng),
        }
        inner = Chain({skipped: layer(rng), other: layer(rng), "norm": nn.LayerNorm(WIDTH)})
        model = nested(rng, names, [inner, Chain(dict(shuffled(rng, list(traps.items()))))])
        options = {"skip": shuffled(rng, [skipped, other, "norm"])} if given else {}
        seen[f"{name}: {', '.join(options['skip'])}" if given else name] = seen_in(code, rng, model, **options)
    bare = Chain(dict(shuffled(rng, [("lm_head", layer(rng)), (some(rng, 1, NAMES)[0], layer(rng))])))
    return seen | {"with an empty skip": seen_in(code, rng, bare, skip=())}


@check(
    "quantize_model",
    2,
    (
        "What happens to a LoRALinear whose base is no nn.Linear any more?",
        "Its base stays in full precision. But a layer that is merely called base is a layer like any other.",
        "kept = {module.base for module in model.modules() if isinstance(module, LoRALinear)}",
    ),
)
def leaves_the_base_of_lora_alone(code, rng):
    """The base of a LoRALinear stays as it is, whatever its name. A layer called base that no LoRALinear holds is replaced."""
    one, two, *names = some(rng, 8, NAMES)
    parts = {one: lora(rng, layer(rng)), "base": layer(rng), two: nn.Sequential(nn.Tanh(), lora(rng, layer(rng)))}
    model = nested(rng, names, [Chain(dict(shuffled(rng, list(parts.items()))))])
    return seen_in(code, rng, model)


@check(
    "quantize_model",
    2,
    (
        "The head of many models is the embedding. What becomes of the tie if one of the two is quantised?",
        "A layer stays if its weight is a parameter of another module, whatever the names are.",
        "owners[parameter].add(module) over all modules and their own parameters; keep what has two owners",
    ),
)
def leaves_tied_weights_alone(code, rng):
    """A layer whose weight another module holds as well stays, and stays tied: a head with the embedding, or two
    layers. Its name plays no role."""
    embedding, head, one, two, bias, *names = some(rng, 11, NAMES)
    first, second, third = layer(rng), layer(rng), layer(rng)
    second.weight = first.weight
    third.bias = layer(rng).bias
    pair = {one: first, two: second, bias: third}
    other = nn.LayerNorm(WIDTH)
    other.bias = third.bias  # a shared bias ties no weight
    body = nested(rng, names, [Chain(dict(shuffled(rng, list(pair.items())))), Chain({"norm": other})])
    model, ids = Tied(rng, embedding, body, head), text(rng)
    seen = seen_in(code, rng, model, ids)
    with torch.no_grad():
        getattr(model, embedding).weight.mul_(0.5)
        first.weight.mul_(0.5)
    return seen | {"output after the tied weights were changed": model(ids)}


@check(
    "quantize_model",
    2,
    (
        "named_modules() tells each module once. What about its second name?",
        "Ask for all names, make one NF4Linear for each layer, and set it at each of its places.",
        "model.named_modules(remove_duplicate=False), and a dict from the layer to its names",
    ),
)
def one_layer_under_two_names(code, rng):
    """A layer that stands at two places is replaced at both by the same NF4Linear, and listed once."""
    twice, *names = some(rng, 8, NAMES)
    shared = layer(rng)
    model = nested(rng, names[:6], [Chain({twice: shared, "norm": nn.LayerNorm(WIDTH)}), Chain({names[6]: shared})])
    first, second = (name for name, module in model.named_modules(remove_duplicate=False) if module is shared)
    seen = seen_in(code, rng, model)
    layers = [first if name == second else name for name in seen["layers"]]  # which of its names is told is free
    both = model.get_submodule(first) is model.get_submodule(second)
    return seen | {"layers": layers, "the same module at both places": both}


@check(
    "quantize_model",
    2,
    (
        "Which tensors does a model hold, besides its parameters? And how often is a shared one in memory?",
        "Add up the bytes of all parameters and buffers, before and after; both iterators give a shared tensor once.",
        "sum(t.nbytes for t in itertools.chain(model.parameters(), model.buffers()))",
    ),
)
def counts_bytes_before_and_after(code, rng):
    """bytes_before and bytes_after are those of all parameters and buffers, in whatever dtype; a tensor that two modules share
    counts once."""
    seen = {}
    for dtype in shuffled(rng, [torch.float32, torch.bfloat16, torch.float64]):
        embedding, head, *names = some(rng, 8, NAMES)
        model = Tied(rng, embedding, nested(rng, names), head)
        table = torch.zeros(whole(rng, 20, 60), dtype=torch.long)
        model.register_buffer("positions", table)
        model.get_submodule(model.names[1]).register_buffer("positions", table)
        result = code.quantize_model(model.to(dtype))
        before, after = int(result["bytes_before"]), int(result["bytes_after"])
        seen[f"a model in {dtype}"] = {
            "layers": list(result["layers"]),
            "bytes_before": before,
            "bytes_after is the count of what the model then holds": after == bytes_in(model),
            "bytes_after is below bytes_before": after < before,
        }
    return dict(sorted(seen.items()))


@check(
    "quantize_model",
    2,
    (
        "What does a second call find? And what can be done if the model itself is a layer?",
        "If there is no layer to replace, raise a ValueError that names the argument. A string as skip is a TypeError.",
        'if not layers: raise ValueError(f"model has no linear layer to quantise: skip={list(skip)}")',
    ),
)
def refuses_a_model_without_layers(code, rng):
    """A model in which nothing can be quantised is a ValueError: at a second call, too, and for a layer that is the
    model itself. A string as skip is a TypeError."""
    one, two, added, place = *some(rng, 3, NAMES), some(rng, 1, PLACES)[0]

    def model():
        return Chain({one: layer(rng), place: Chain({two: layer(rng)})})

    def bad(kind, word, make, **options):
        return lambda: refusal(kind, lambda: code.quantize_model(make(), **options), word)

    def done():
        given = model()
        code.quantize_model(given)
        return given

    def grown():
        given = done()
        given.get_submodule(place).add_module(added, layer(rng))
        given.get_submodule(place).names.append(added)
        return seen_in(code, rng, given)

    calls = {
        "a second call": bad(ValueError, "model", done),
        "a model without linear layers": bad(ValueError, "model", lambda: Chain({one: nn.LayerNorm(WIDTH)})),
        "all layers are in skip": bad(ValueError, "model", model, skip=[two, one]),
        "all layers are the base of a LoRALinear": bad(
            ValueError, "model", lambda: Chain({one: lora(rng, layer(rng))})
        ),
        "a linear layer as the model": bad(ValueError, "model", lambda: layer(rng)),
        "a string as skip": bad(TypeError, "skip", model, skip=one),
        "a second call after a layer was added": grown,
        "one of two layers is in skip": lambda: seen_in(code, rng, model(), skip=[one]),
    }
    return tried(rng, **calls)
