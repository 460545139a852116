"""The checks of `load_adapter`."""

import torch

from grader.checks import check, refusal
from grader.checks.peft.material import VOCAB, WIDTH, moved, partly_trained, snapshot, trainable_names


def state_of(model) -> dict[str, torch.Tensor]:
    """The trainable tensors by name, read without the learner's function."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


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
    error = refusal(ValueError, lambda: code.load_adapter(model, state), name)
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
        "an empty state": refusal(ValueError, lambda: code.load_adapter(partly_trained(rng), {}))
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
