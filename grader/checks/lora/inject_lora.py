"""The checks of `inject_lora`."""

import copy

import torch

from grader.checks import Unusable, check, rand, refusal, set_parameter, some, tried, whole
from grader.checks.lora.material import about, answer, sizes, trainable_names
from grader.checks.lora.network import fill_all, injected, lora_layers, network, output, same_network, token_ids


def gradients(tensors: dict[str, torch.Tensor]) -> dict:
    """The gradients of these tensors in a row. In bfloat16, for the same reason as `output`, and more so."""
    found = {name: tensors[name].grad for name in sorted(tensors)}
    numbers = [gradient.flatten() for gradient in found.values() if gradient is not None]
    return {
        "without a gradient": [name for name, gradient in found.items() if gradient is None],
        "gradients, one after the other": torch.cat(numbers).bfloat16() if numbers else "none",
    }


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
    """Every target at every depth becomes a LoRALinear, with the old layer as its base; the names come back in model order."""
    (model, plan), size = network(rng), sizes(rng)
    old = [model.get_submodule(name) for name in plan.where]
    names = code.inject_lora(model, plan.targets, *size.pair)
    fill_all(code, model, rng)
    with torch.no_grad():
        for layer in old:
            layer.weight.copy_(0.3 * rand(rng, *layer.weight.shape))
    return {
        "names returned": list(names),
        "layers that are LoRALinear": list(lora_layers(code, model)),
        "output after the factors and the old layers' weights were changed": output(model, token_ids(rng)),
    }


@check(
    "inject_lora",
    2,
    (
        'A model may have layers named q_proj, my_q_proj, Q_proj and q_proj_gate.0. Which ones does "q_proj" mean?',
        "Compare the last part of the qualified name as a whole. No `in` on strings, no endswith.",
        "name.rpartition('.')[2] in target_modules",
    ),
)
def matches_the_whole_last_name_part(code, rng):
    """A target such as "q_proj" means the layers called q_proj: not my_q_proj, and not those inside a container of that name."""
    (model, plan), (numbered, _), size = network(rng), network(rng), sizes(rng)
    names = code.inject_lora(model, [plan.trapped], *size.pair)
    fill_all(code, model, rng)
    return {
        f"names for {plan.trapped}": list(names),
        "wrapped": list(lora_layers(code, model)),
        "output": output(model, token_ids(rng)),
        "names for 1": answer(lambda: list(code.inject_lora(numbered, ["1"], *size.pair))),
    }


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
    """After the call only lora_A and lora_B of the targets are trainable, whatever was trainable before."""
    (model, plan), size = network(rng), sizes(rng)
    for parameter in some(rng, 6, list(model.parameters())):
        parameter.requires_grad_(False)
    code.inject_lora(model, plan.targets, *size.pair)
    fill_all(code, model, rng)
    model.eval()(token_ids(rng)).pow(2).sum().backward()
    learn = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {"trainable": sorted(learn)} | gradients(learn)


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
    (model, plan), size = network(rng), sizes(rng)
    names = code.inject_lora(model, plan.targets + plan.others[:1], *size.pair)
    return {"names returned": list(names), "output": output(model, token_ids(rng))}


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
    (model, plan), size, p = network(rng), sizes(rng), whole(rng, 2, 7) / 10
    untouched = copy.deepcopy(model)
    code.inject_lora(model, plan.targets, *size.pair, dropout=p)
    layers = lora_layers(code, model)
    name = some(rng, 1, plan.where)[0]
    if name not in layers:
        raise Unusable(f"{name} is no LoRALinear after inject_lora, so this check cannot go on")
    layer = layers[name].train()
    n_out, n_in = layer.base.weight.shape
    set_parameter(layer, "lora_A", torch.eye(size.rank, n_in))  # the update is now that of the first input alone
    set_parameter(layer, "lora_B", torch.ones(n_out, 1) * torch.eye(size.rank)[0])
    x = torch.ones(8000, n_in, dtype=torch.float64)
    dropped = (layer(x) - layer.eval().base(x)).abs()[:, 0] < 1e-3
    return {
        "shapes of lora_A": {name: list(layers[name].lora_A.shape) for name in layers},
        "scaling": [float(layer.scaling) for layer in layers.values()],
        "share of inputs that dropout drops": about(dropped.double().mean(), p, 0.2),
        "rank 0": refusal(ValueError, lambda: code.inject_lora(untouched, plan.targets, 0, 1.5), "rank"),
    }


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
    """A second call that names the wrapped layers, and the `base` inside them, wraps none of these again. But a layer
    of the model that is called base is a layer like any other."""
    model, plan, size = injected(code, rng)
    again = answer(lambda: list(code.inject_lora(model, plan.targets, *size.pair)))
    seen = {"names returned for the targets again": again, "output": output(model, token_ids(rng))}
    names = code.inject_lora(model, ["base", *plan.targets], *size.pair)
    fill_all(code, model, rng)
    return seen | {
        "names returned for the targets and base": list(names),
        "wrapped": list(lora_layers(code, model)),
        "trainable": trainable_names(model),
        "output then": output(model, token_ids(rng)),
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
    """A second call for other layers returns the new names only; the factors of both calls train, each with its own rank."""
    (model, plan), size = network(rng), sizes(rng)
    first, second = plan.targets
    code.inject_lora(model, [first], *size.pair)
    names = code.inject_lora(model, [second, first], size.rank + 1, size.alpha)
    fill_all(code, model, rng)
    model.eval()(token_ids(rng)).pow(2).sum().backward()
    layers = lora_layers(code, model)
    seen = {
        "names returned": list(names),
        "trainable": trainable_names(model),
        "ranks": {name: len(layer.lora_A) for name, layer in layers.items()},
    }
    return seen | gradients({f"{name}.lora_B": layer.lora_B for name, layer in layers.items()})


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
    """If no linear layer matches, a ValueError names the linear layers that exist. A string of targets is a TypeError."""
    (make, plan), size = same_network(rng), sizes(rng)
    _, _, container, _ = make().names
    target = some(rng, 1, plan.targets)[0]
    inside = some(rng, 1, [name for name in plan.where if "." in name])[0]

    def inject(targets, again=False):
        model = make()
        if again:
            code.inject_lora(model, plan.targets, *size.pair)
        return code.inject_lora(model, targets, *size.pair)

    def refused(targets, again=False):
        return lambda: refusal(ValueError, lambda: inject(targets, again), *plan.others)

    calls = {
        "a misspelt name": refused([f"{target[:-1]}_"]),
        "a misspelt name at a second call": refused([f"{target[:-1]}_"], again=True),
        "the name of a container": refused([container]),
        "a qualified name as a whole": refused([inside]),
        "no target": refused([]),
        "a string as target_modules": lambda: refusal(TypeError, lambda: inject(target), "target_modules"),
        "names returned for a good name": lambda: answer(lambda: list(inject([target]))),
    }
    return tried(rng, **calls)
