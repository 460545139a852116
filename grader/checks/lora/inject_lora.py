"""The checks of `inject_lora`."""

from torch import nn

from grader.checks import check, rand, refusal
from grader.checks.lora.material import ALPHA, IDS, OUT, RANK, Model, injected, linear, trainable_names, wrapped_names


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
            ValueError,
            lambda: code.inject_lora(Model(rng), ["qproj"], RANK, ALPHA),
            "blocks.0.q_proj",
            "blocks.1.out",
            "head",
        ),
        "a layer that is not linear": refusal(
            ValueError, lambda: code.inject_lora(Model(rng), ["norm"], RANK, ALPHA), "head"
        ),
        "no target": refusal(ValueError, lambda: code.inject_lora(Model(rng), [], RANK, ALPHA), "head"),
        "a misspelt name at a second call": refusal(
            ValueError, lambda: code.inject_lora(injected(code, rng), ["qproj"], RANK, ALPHA), "head"
        ),
    }
