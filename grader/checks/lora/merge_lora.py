"""The checks of `merge_lora`."""

from torch import nn

from grader.checks import check, some, whole
from grader.checks.lora.network import Plan, injected, lora_layers, output, token_ids


def weights_of(model, plan: Plan) -> dict:
    """The weights of the layers that had an adapter, by name."""
    return {
        name: getattr(model.get_submodule(name), "weight", "none, since it is no nn.Linear") for name in plan.where
    }


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
    """merge_lora returns the model with nn.Linear layers that hold the merged weights, and the tensor names of the original."""
    model, plan, _ = injected(code, rng)
    result = code.merge_lora(model)
    weights = weights_of(model, plan)
    return {
        "returns the model": result is model,
        "LoRALinear left": list(lora_layers(code, model)),
        "layers that are no nn.Linear": [n for n in plan.where if not isinstance(model.get_submodule(n), nn.Linear)],
        "weights that are no parameter": [
            name for name, weight in weights.items() if not isinstance(weight, nn.Parameter)
        ],
        "merged weights": weights,
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
    """The merged model gives the output of the adapted one, also if it was merged in train mode."""
    model, plan, _ = injected(code, rng, dropout=0.4)
    ids = token_ids(rng)
    adapted = output(model, ids)
    code.merge_lora(model.train())
    return {
        "output of the adapted model": adapted,
        "output of the merged model": output(model, ids),
        "merged weights": weights_of(model, plan),
    }


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
    model, plan, _ = injected(code, rng)
    for name in some(rng, whole(rng, 1, 3), plan.where):
        model.get_submodule(name).merge()
    code.merge_lora(model)
    return {"output": output(model, token_ids(rng)), "merged weights": weights_of(model, plan)}
