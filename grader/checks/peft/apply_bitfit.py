"""The checks of `apply_bitfit`."""

from torch import nn

from grader.checks import check, rand, refusal, some, tried, whole
from grader.checks.peft.material import decoder, moved, snapshot, token_ids, trainable_names
from grader.checks.peft.parameters import like_biases, listed, train, with_heads


def what_trains(code, model, *inputs, **arguments) -> dict:
    """What is said to train, what does, and the output after one step of it."""
    names = code.apply_bitfit(model, **arguments)
    return {
        "returned": listed(names),
        "trainable": trainable_names(model),
        "output after a step of training": train(model, *inputs),
    }


@check(
    "apply_bitfit",
    2,
    (
        "BitFit trains the small part that most people leave out.",
        "Train what is named bias: the last part of the qualified name. Freeze all the rest.",
        'name.rpartition(".")[2] == "bias"',
    ),
)
def only_biases_train(code, rng):
    """All biases of layers and norms train, and nothing else; their names are returned in model order."""
    model = decoder(rng)
    return what_trains(code, model, token_ids(rng, model))


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
    """A bias is what has `bias` as its last name part, alone and as a whole, in whatever kind of module and of whatever shape."""
    single = nn.Linear(whole(rng, 3, 6), whole(rng, 3, 6)).double()
    return {
        "names that look like biases": what_trains(code, *like_biases(rng)),
        "a single layer": what_trains(code, single, rand(rng, 3, single.in_features)),
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
    """Parameters whose qualified name contains a string of `also`, letter by letter, train, too; names come in model order."""
    seen = {}
    for what in with_heads(rng)[2]:
        model, x, strings = with_heads(rng)
        seen[f"also={strings[what]}"] = what_trains(code, model, x, also=strings[what])
    return seen


@check(
    "apply_bitfit",
    1,
    (
        "For a string, `for part in also` goes through its letters. Which parameters contain an e?",
        "A string as `also` is a TypeError that names the argument: a list of strings is meant.",
        'if isinstance(also, str): raise TypeError(f"also must be a list of strings, got {also!r}")',
    ),
)
def refuses_a_string_as_also(code, rng):
    """A string as `also`, where a list of strings is meant, is a TypeError that names `also`."""
    model, x, strings = with_heads(rng)
    (head,) = strings["a head"]

    def refused(also: str) -> dict:
        other, _, _ = with_heads(rng)
        end = refusal(TypeError, lambda: code.apply_bitfit(other, also=also), "also")
        return end if end["raises"] != "nothing" else end | {"trainable": trainable_names(other)}

    return tried(
        rng,
        **{
            "a list": lambda: what_trains(code, model, x, also=[head]),
            "a string": lambda: refused(head),
            "the letter e": lambda: refused("e"),
        },
    )


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
    model = decoder(rng)
    ids = token_ids(rng, model)
    biases = [p for name, p in model.named_parameters() if name.endswith(".bias")]
    others = [p for name, p in model.named_parameters() if not name.endswith(".bias")]
    for parameter in some(rng, len(biases) // 2, biases) + some(rng, len(others) // 2, others):
        parameter.requires_grad_(False)
    before = snapshot(model)
    code.apply_bitfit(model)
    seen = {"trainable": trainable_names(model), "moved": moved(before), "output": model(ids)}
    model.requires_grad_(False)
    return seen | {"from a frozen model": what_trains(code, model, ids)}


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
    """A model without any bias is a ValueError, also if `also` would match something; one with a single bias is none."""

    def bare(**arguments):
        model, _ = like_biases(rng, with_biases=False)
        return refusal(ValueError, lambda: code.apply_bitfit(model, **arguments))

    def one_bias():
        model, x = like_biases(rng, with_biases=False)
        layer = some(rng, 1, [module for module in model.modules() if isinstance(module, nn.Linear)])[0]
        layer.bias = nn.Parameter(rand(rng, layer.out_features))
        return what_trains(code, model, x)

    return tried(
        rng,
        **{"no bias": bare, "no bias, but also": lambda: bare(also=["weight"]), "one bias": one_bias},
    )


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
    """Gradient descent on what is trainable moves every bias that the output depends on, and leaves the weights bit for bit."""
    model = decoder(rng)
    ids = token_ids(rng, model)
    code.apply_bitfit(model)
    before = snapshot(model)
    output = train(model, ids, steps=4)
    return {"moved": moved(before), "output after four steps": output}
