"""The checks of `add_adapters`."""

import torch
import torch.nn.functional as F

from grader.checks import check, rand, refusal, set_parameter
from grader.checks.peft.material import BOTTLENECK, VOCAB, Causal, descend, ids, moved, snapshot, trainable


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
            ValueError,
            lambda: code.add_adapters(Causal(rng), ["oproj"], 2),
            "blocks.0.o_proj",
            "blocks.1.down_proj",
            "head",
        ),
        "no target": refusal(ValueError, lambda: code.add_adapters(Causal(rng), [], 2), "head"),
    }
