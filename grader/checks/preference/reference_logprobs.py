"""The checks of `reference_logprobs`.

The models have adapters that change their answers much. So it shows in each number whether one of them is still on.
"""

import torch

from grader.checks import check, rand, refusal, some, tried, whole
from grader.checks.preference.models import (
    ModelFailure,
    adapt,
    adapters,
    in_mixed_modes,
    known_parameters,
    logits,
    merge_some,
    merged,
    modes,
    monitor_of,
    pairs,
    plain_policy,
    policy,
    tensors,
    trainable,
)


def logprobs(code, model, batch) -> torch.Tensor | str:
    """The result in float64. Its dtype is free, as long as it is exact enough."""
    result = code.reference_logprobs(model, batch)
    return result.detach().double() if isinstance(result, torch.Tensor) else f"no tensor, but {type(result).__name__}"


def unmerged(model) -> dict[str, torch.Tensor]:
    """All parameters after the updates were taken out of the base weights."""
    for layer in adapters(model).values():
        layer.unmerge()
    return tensors(model)


def train_in_part(rng, model) -> None:
    """Some factors and some other parameters require a gradient, and some do not. One lora_B does."""
    parameters = known_parameters(model)
    factors = [name for name in parameters if name.endswith((".lora_A", ".lora_B"))]
    others = [name for name in parameters if name not in factors and parameters[name].ndim == 1]
    moving = some(rng, 1, [name for name in factors if name.endswith("lora_B")])
    for group in (factors, others):
        on = moving + some(rng, whole(rng, 1, len(group) - 2), [name for name in group if name not in moving])
        for name in group:
            parameters[name].requires_grad_(name in on)


@check(
    "reference_logprobs",
    3,
    (
        "What would the model say if it had never been fine-tuned?",
        "Every LoRALinear must answer like its base, wherever in the model it lies. For example its scaling is 0 for the while.",
        "layers = [m for m in model.modules() if isinstance(m, LoRALinear)]; sequence_logprobs(model(ids, mask), labels)",
    ),
)
def answers_without_the_adapters(code, rng):
    """The result holds the log-probability of each answer under the model in which every LoRALinear answers like its base.
    The numbers in the adapters play no role."""
    seen = {}
    for what, blocks in (("a model", 1), ("a deeper model that uses a layer twice", 2)):
        model = policy(rng, blocks, without=whole(rng, 1, 2), shared=blocks == 2).eval()
        batch = pairs(rng, model)
        seen[f"log-probabilities of {what}"] = logprobs(code, model, batch)
        adapt(rng, model)
        seen[f"of {what} after its adapters have changed"] = logprobs(code, model, batch)
        seen[f"of {what} on another batch"] = logprobs(code, model, pairs(rng, model))
    return seen


@check(
    "reference_logprobs",
    1,
    (
        "Does dropout act on the reference?",
        "The policy is in train mode while it trains. The reference is asked in eval mode.",
        "model.eval() before the forward pass",
    ),
)
def answers_in_eval_mode(code, rng):
    """The model and all in it are in eval mode when they are asked, whatever their modes were before."""
    model = policy(rng).train()
    mixed = in_mixed_modes(rng, policy(rng), training=False)
    return {
        "log-probabilities of a model in train mode": logprobs(code, model, pairs(rng, model)),
        "of a model in eval mode with parts in train mode": logprobs(code, mixed, pairs(rng, mixed)),
    }


@check(
    "reference_logprobs",
    1,
    (
        "Who is to learn from the reference? Nobody.",
        "no_grad() keeps a graph from being made. inference_mode() makes tensors with which no loss may be computed later.",
        "with torch.no_grad(): ...",
    ),
)
def result_is_an_ordinary_tensor_without_a_graph(code, rng):
    """The result has no graph, a loss may be computed with it, and gradients are on again afterwards."""
    model = policy(rng)
    batch = pairs(rng, model)
    result = code.reference_logprobs(model, batch)
    policys = rand(rng, *result.shape, dtype=result.dtype).requires_grad_()
    try:
        (policys * result).sum().backward()  # keeps the result for the gradient, as a loss may do
        gradient = policys.grad.double()
    except RuntimeError as error:
        gradient = f"none: {'an inference tensor' if result.is_inference() else type(error).__name__}"
    return {
        "requires a gradient": result.requires_grad,
        "gradient of a loss in which the result is a factor": gradient,
        "gradients are on afterwards": torch.is_grad_enabled(),
        "trainable afterwards": trainable(model),
    }


@check(
    "reference_logprobs",
    2,
    (
        "The training goes on with the same model. What must it find?",
        "Each layer its own scaling, its own factors, and whatever else you have changed. An optimizer may hold the parameters.",
        "Keep the old values before you change anything, and put them back in a `finally` part.",
    ),
)
def adapters_are_as_before(code, rng):
    """Afterwards factors, scaling and requires_grad are as before, the model answers as before, and an optimizer still moves it."""
    model = policy(rng, shared=True).eval()
    train_in_part(rng, model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    batch = pairs(rng, model)
    logprobs(code, model, batch)
    seen = {
        "scalings": {name: float(layer.scaling) for name, layer in adapters(model).items()},
        "trainable": trainable(model),
        "parameters": tensors(model),
        "logits": logits(model, batch),
    }
    model(batch["input_ids"], batch["attention_mask"]).square().mean().backward()
    optimizer.step()
    return seen | {"logits after an update by an optimizer that was made before": logits(model, batch)}


@check(
    "reference_logprobs",
    1,
    (
        "Remember what you change: each module has a mode of its own.",
        "Keep the mode of every module of model.modules() before eval(), and give each its own back.",
        "modes = {m: m.training for m in model.modules()}; ...; for m, mode in modes.items(): m.training = mode",
    ),
)
def every_module_has_its_own_mode_again(code, rng):
    """Afterwards every module is in the mode in which it was: all in train mode, all in eval mode, or some in each."""
    models = {
        "all in train mode": policy(rng).train(),
        "all in eval mode": policy(rng).eval(),
        "some in each": in_mixed_modes(rng, policy(rng)),
    }
    seen = {}
    for before, model in models.items():
        batch = pairs(rng, model, count=1)
        logprobs(code, model, batch)
        seen[before] = {"modes": modes(model), "logits": logits(model, batch)}
    return seen


@check(
    "reference_logprobs",
    2,
    (
        "Where is the update of a layer that is merged?",
        "In base.weight. Unmerge it before the scaling is touched, and merge it again after the scaling is back.",
        "merged = [layer for layer in layers if layer.merged]; unmerge them; ...; finally: merge these again, and no others",
    ),
)
def merged_layers_are_off_too(code, rng):
    """The update of a merged layer is out of the weight for the while. Afterwards the same layers are merged as before."""
    models = {"some layers merged": policy(rng).eval(), "all layers merged": policy(rng).eval()}
    merge_some(rng, models["some layers merged"])
    for layer in adapters(models["all layers merged"]).values():
        layer.merge()
    seen = {}
    for before, model in models.items():
        batch = pairs(rng, model)
        seen[before] = {
            "log-probabilities": logprobs(code, model, batch),
            "merged afterwards": merged(model),
            "parameters": tensors(model),
            "logits": logits(model, batch),
            "parameters after unmerge()": unmerged(model),
        }
    return seen


@check(
    "reference_logprobs",
    2,
    (
        "What if the model fails in the middle?",
        "try … finally runs its last part in any case.",
        "try: ... finally: put scalings, merged layers and modes back",
    ),
)
def all_is_as_before_after_an_exception(code, rng):
    """If the model raises an exception, it comes through, and modes, adapters and merged layers are as before."""
    model = in_mixed_modes(rng, policy(rng))
    train_in_part(rng, model)
    merge_some(rng, model)
    batch, error = pairs(rng, model), "nothing"
    monitor_of(model).fails = True
    try:
        code.reference_logprobs(model, batch)
    except ModelFailure as raised:
        error = str(raised)
    monitor_of(model).fails = False
    return {
        "error": error,
        "gradients are on": torch.is_grad_enabled(),
        "modes": modes(model),
        "merged": merged(model),
        "trainable": trainable(model),
        "logits": logits(model, batch),
    }


@check(
    "reference_logprobs",
    1,
    (
        "What is the reference of a model that has no adapter?",
        "It would be the model itself, and the loss could never leave log 2. Refuse it.",
        'if not layers: raise ValueError("model has no LoRALinear ...")',
    ),
)
def refuses_a_model_without_lora(code, rng):
    """A model without a LoRALinear is a ValueError, whatever its parts are called; one LoRALinear anywhere is enough."""

    def refused() -> dict:
        model = in_mixed_modes(rng, plain_policy(rng))
        batch = pairs(rng, model)
        found = refusal(ValueError, lambda: code.reference_logprobs(model, batch))
        return {"error": found, "modes": modes(model), "logits": logits(model, batch)}

    def one_layer() -> torch.Tensor:
        model = policy(rng, without=4)
        return logprobs(code, model, pairs(rng, model))

    return tried(rng, **{"no LoRALinear": refused, "log-probabilities with one LoRALinear": one_layer})
