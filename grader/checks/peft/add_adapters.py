"""The checks of `add_adapters`.

Where an adapter is kept is free, and so is how it is attached. So all adapters of one width hold the same numbers, and
no check asks which one follows which layer.
"""

import copy

import torch
import torch.nn.functional as F

from grader.checks import check, rand, refusal, set_parameter, some, tried, whole
from grader.checks.peft.material import decoder, descend, gradients, moved, snapshot, token_ids, trainable


def adapters_of(code, model) -> list:
    """The adapters that are in the model."""
    return [module for module in model.modules() if isinstance(module, code.Adapter)]


def fill_adapters(code, model, seed: int) -> None:
    """Drawn numbers into every adapter, the same into those of one width."""
    for adapter in adapters_of(code, model):
        rng = torch.Generator().manual_seed(seed + adapter.up.weight.shape[0])
        for name in ("down", "up"):
            layer, (out, into) = getattr(adapter, name), getattr(adapter, name).weight.shape
            set_parameter(layer, "weight", rand(rng, out, into) / into**0.5)
            set_parameter(layer, "bias", rand(rng, out))


def adapted(code, rng, *parts: str):
    """A model with filled adapters behind these parts of it (see `material.Names`)."""
    model = decoder(rng, depth=2)  # few adapters, since a learner's may be slow
    code.add_adapters(model, targets_of(model, *parts), a_bottleneck(rng))
    fill_adapters(code, model.double(), whole(rng, 0, 10**6))
    return model


def targets_of(model, *parts: str) -> list[str]:
    """The drawn names of these parts of the model."""
    return [getattr(model.names, part) for part in parts]


def a_bottleneck(rng) -> int:
    """A width that no layer of the model has."""
    return some(rng, 1, [2, 6])[0]


@check(
    "add_adapters",
    2,
    (
        "Which modules are meant by q_proj? And is my_q_proj one of them?",
        "Compare the last part of the qualified name with the targets, by ==, at every depth.",
        'name.rpartition(".")[2] in target_modules, for name, module in model.named_modules()',
    ),
)
def targets_match_by_their_last_name_part(code, rng):
    """Targets are modules of any kind, at any depth, whose last name part is listed; their full names are returned."""
    whole_model, bottleneck = decoder(rng), a_bottleneck(rng)
    found = {}
    for parts in (["square", "head"], ["down", "head", "up"], ["head", "gate"], ["head", "ending"]):
        model, targets = copy.deepcopy(whole_model), targets_of(whole_model, *parts)
        names = code.add_adapters(model, [*targets, "no_such_layer"], bottleneck)
        found[f"targets {', '.join(targets)}"] = {
            "returned": sorted(names),
            "adapters in the model": len(adapters_of(code, model)),
        }
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
    model = decoder(rng)
    for name in some(rng, 3, [name for name, _ in model.named_parameters()]):
        model.get_parameter(name).requires_grad_(False)  # some may be frozen already
    before = snapshot(model)
    code.add_adapters(model, targets_of(model, "square", "down"), a_bottleneck(rng))
    model.double()
    inside = {id(p) for adapter in adapters_of(code, model) for p in adapter.parameters()}
    return {
        "parameters of the model that train": [name for name, (p, _) in before.items() if p.requires_grad],
        "numbers that train": sum(p.numel() for p in trainable(model)),
        "trainable, but of no adapter": sum(id(p) not in inside for p in trainable(model)),
        "of an adapter, but frozen": len(inside - {id(p) for p in trainable(model)}),
        "parameters of the model that have changed": moved(before),
        "logits": model(token_ids(rng, model)),
    }


@check(
    "add_adapters",
    1,
    (
        "An adapter follows a layer. Which width has what it gets?",
        "The width is the layer's out_features, not its in_features and not that of the model.",
        "Adapter(module.out_features, bottleneck)",
    ),
)
def adapters_have_the_width_of_the_output(code, rng):
    """Each adapter has the width of its layer's output and the bottleneck that was asked for."""
    model, bottleneck = decoder(rng), a_bottleneck(rng)
    code.add_adapters(model, targets_of(model, "down", "up", "head"), bottleneck)
    shapes = sorted([list(part.weight.shape) for a in adapters_of(code, model) for part in (a.down, a.up)])
    fill_adapters(code, model.double(), whole(rng, 0, 10**6))
    return {"shapes of down and up, sorted": shapes, "logits": model(token_ids(rng, model))}


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
    """Right after the call the model gives the logits that it gave before, in train and in eval mode."""
    model = decoder(rng, depth=2)
    ids, seed = token_ids(rng, model), whole(rng, 0, 10**6)
    code.add_adapters(model, targets_of(model, "square", "down", "head"), a_bottleneck(rng))
    model.double()
    seen = {}
    for mode in ("train", "eval"):
        torch.manual_seed(seed)  # of the model's dropout
        seen[f"logits with new adapters, {mode} mode"] = model.train(mode == "train")(ids)
    return seen | {"adapters": len(adapters_of(code, model))}


@check(
    "add_adapters",
    2,
    (
        "Does the adapter stand before or behind the layer?",
        "The layer runs, then the adapter runs on what the layer returns.",
        "adapter(module(x)), as a wrapper module or by a forward hook that returns the new output",
    ),
)
def adapters_act_on_the_output(code, rng):
    """With adapters that are not zero the logits are those of adapter(layer(x)) in every target's place."""
    model, other = adapted(code, rng, "square", "down"), adapted(code, rng, "gate", "up", "head")
    ids = token_ids(rng, model)
    return {
        "logits": model(ids),
        "logits in train mode, without dropout": _without_dropout(model.train())(ids),
        "logits with other targets": other(token_ids(rng, other)),
    }


def _without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


@check(
    "add_adapters",
    2,
    (
        "Gradients must pass through frozen layers to reach early adapters.",
        "Freeze by requires_grad alone, without no_grad. A hook takes the adapter of the module that it is called with.",
        "No detach and no no_grad between the adapters; hook(module, inputs, output) returns module.adapter(output).",
    ),
)
def every_adapter_gets_its_gradient(code, rng):
    """Each layer has an adapter of its own, which gets the gradient of the formula; the frozen layers get none."""
    model = adapted(code, rng, "square", "up")
    trained = trainable(model)
    logits = model(token_ids(rng, model))
    found = [g for g in gradients((logits * rand(rng, *logits.shape)).sum(), trained) if g is not None]
    return {
        "tensors that train": len(trained),
        "of these without a gradient": len(trained) - len(found),
        "norms of the gradients, sorted": torch.tensor(sorted(g.norm().item() for g in found), dtype=torch.float64),
        "logits": logits,
    }


@check(
    "add_adapters",
    1,
    (
        "Train for some steps: what may have moved?",
        "The adapters alone. The tensors of the model stay bit for bit.",
        "Only the adapters' parameters require gradients.",
    ),
)
def training_moves_the_adapters_alone(code, rng):
    """Gradient descent on what is trainable lowers the loss and leaves the model's own tensors as they were."""
    model, bottleneck = decoder(rng, depth=2), a_bottleneck(rng)
    before = snapshot(model)
    code.add_adapters(model, targets_of(model, "square", "down"), bottleneck)
    fill_adapters(code, model.double(), whole(rng, 0, 10**6))
    ids = token_ids(rng, model)
    target = rand(rng, *ids.shape, model.vocab)
    losses = descend(trainable(model), lambda: F.mse_loss(model(ids), target), steps=3, rate=0.05)
    return losses | {"tensors of the model that have moved": moved(before)}


@check(
    "add_adapters",
    2,
    (
        "The function is called again, with more targets. What has an adapter already?",
        "Such a module gets no second adapter. The first call's adapters keep their numbers and go on training.",
        "Skip what has an adapter; after freezing, thaw every Adapter that is in the model.",
    ),
)
def a_second_call_adds_to_the_first(code, rng):
    """A second call adds nothing to what has an adapter; the earlier adapters keep their numbers and still train."""
    model, bottleneck, seed = adapted(code, rng, "square", "head"), a_bottleneck(rng), whole(rng, 0, 10**6)
    ids = token_ids(rng, model)
    code.add_adapters(model, targets_of(model, "square", "down"), bottleneck)
    seen = {
        "adapters after the second call": len(adapters_of(code, model)),
        "numbers that train": sum(p.numel() for p in trainable(model)),
        "logits with new second adapters": model.double()(ids),
    }
    fill_adapters(code, model, seed)
    return seen | {"logits with filled adapters": model(ids)}


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
    model, bottleneck = decoder(rng), a_bottleneck(rng)
    ids, names = token_ids(rng, model), model.names
    known = [names.square, names.down, names.up, names.head]
    misspelt, unknown = names.square[:-1] + "_", names.square.upper()

    def refused(*targets):
        return refusal(ValueError, lambda: code.add_adapters(copy.deepcopy(model), list(targets), bottleneck), *known)

    def accepted(*targets):
        fresh = copy.deepcopy(model)
        code.add_adapters(fresh, list(targets), bottleneck)
        return {"adapters": len(adapters_of(code, fresh)), "logits": fresh.double()(ids)}

    return tried(
        rng,
        **{
            "a misspelt name": lambda: refused(misspelt),
            "the name in capitals": lambda: refused(unknown),
            "no target": lambda: refused(),
            "a misspelt name and a right one": lambda: accepted(misspelt, names.down),
        },
    )


@check(
    "add_adapters",
    1,
    (
        'What does `name in "q_proj"` ask, if target_modules is a string and no list?',
        "`in` then looks for a part of the string. Refuse a string with a TypeError that names the argument.",
        'if isinstance(target_modules, str): raise TypeError(f"target_modules must be a list, got {target_modules!r}")',
    ),
)
def refuses_targets_in_a_string(code, rng):
    """A string in the place of the list is a TypeError; a list and a tuple are good."""
    model, bottleneck = decoder(rng), a_bottleneck(rng)
    ids, names = token_ids(rng, model), model.names

    def refused(targets):
        return refusal(
            TypeError, lambda: code.add_adapters(copy.deepcopy(model), targets, bottleneck), "target_modules"
        )

    def accepted(targets):
        fresh = copy.deepcopy(model)
        code.add_adapters(fresh, targets, bottleneck)
        return {"adapters": len(adapters_of(code, fresh)), "logits": fresh.double()(ids)}

    return tried(
        rng,
        **{
            "one name as a string": lambda: refused(names.square),
            "two names in a string": lambda: refused(f"{names.down},{names.up}"),
            "a list of one": lambda: accepted([names.square]),
            "a tuple": lambda: accepted((names.down, names.head)),
        },
    )
