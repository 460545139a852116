"""The checks of `load_lora_state_dict`."""

import torch

from grader.checks import check, rand, refusal, some, tried, whole
from grader.checks.lora.material import sizes, trainable_names
from grader.checks.lora.network import factors_of, fill_all, injected, output, same_network, token_ids


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
    """The numbers of the state are copied into the parameters that are there, which go on training."""
    model, *_ = injected(code, rng)
    held = dict(model.named_parameters())  # as an optimizer holds them
    state = {name: 0.3 * rand(rng, *factor.shape) for name, factor in factors_of(model).items()}
    error = refusal(ValueError, lambda: code.load_lora_state_dict(model, state))
    ids = token_ids(rng)
    seen = {"error": error, "factors": factors_of(model), "trainable": trainable_names(model)}
    for name in state:
        state[name] += 1  # what becomes of the state is nothing to the model
    seen["output after the tensors of the state were changed"] = output(model, ids)
    with torch.no_grad():
        for name in state:
            held[name] *= 1.5  # a step of the optimizer
    return seen | {"output after the parameters of before were moved": output(model, ids)}


def _loads(code, rng, **spoiled) -> dict:
    """What comes of loading states with one fault each, and one without, in a drawn order.

    Args:
        spoiled: by what is wrong, a function of the state and a name in it. It returns the bad state, and the name that is
            wrong in it.
    """
    (make, plan), size = same_network(rng), sizes(rng)

    def load(spoil) -> dict:
        model = make()
        code.inject_lora(model, plan.targets, *size.pair)
        fill_all(code, model, rng)
        state = {name: 0.3 * rand(rng, *factor.shape) for name, factor in factors_of(model).items()}
        oblong = [name for name, factor in state.items() if len(set(factor.shape)) == 2]
        state, name = spoil(state, some(rng, 1, oblong)[0])
        error = refusal(ValueError, lambda: code.load_lora_state_dict(model, state), name)
        return {"error": error, "factors then": factors_of(model)}

    cases = {"a state that fits": lambda state, name: (state, "")} | spoiled
    return tried(rng, **{what: lambda spoil=spoil: load(spoil) for what, spoil in cases.items()})


def without(state: dict, name: str) -> dict:
    return {other: tensor for other, tensor in state.items() if other != name}


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
    """If the state lacks a tensor, wherever, a ValueError names it and nothing is loaded."""
    return _loads(
        code,
        rng,
        **{
            "a state without one tensor": lambda state, name: (without(state, name), name),
            "a state without its last tensor": lambda state, _: (without(state, list(state)[-1]), list(state)[-1]),
        },
    )


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

    def beside(state, name, other):
        return state | {other: state[name]}, other

    return _loads(
        code,
        rng,
        **{
            "a factor of another layer": lambda state, name: beside(state, name, f"layers.{whole(rng, 7, 99)}.{name}"),
            "a name with a prefix beside the right one": lambda state, name: beside(
                state, name, f"base_model.model.{name}"
            ),
            "the weight of a base": lambda state, name: beside(state, name, f"{name.rpartition('.')[0]}.base.weight"),
        },
    )


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

    def reshaped(change):
        return lambda state, name: (state | {name: change(state[name]).clone()}, name)

    return _loads(
        code,
        rng,
        **{
            "one row instead of the matrix": reshaped(lambda factor: factor[:1]),
            "one number instead of the matrix": reshaped(lambda factor: factor[0, 0]),
            "the transposed matrix": reshaped(lambda factor: factor.T),
            "the matrix with one row more": reshaped(lambda factor: torch.cat([factor, factor[:1]])),
        },
    )
