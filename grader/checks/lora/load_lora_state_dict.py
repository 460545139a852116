"""The checks of `load_lora_state_dict`."""

import torch

from grader.checks import check, refusal
from grader.checks.lora.material import ALPHA, IDS, RANK, Model, injected, trainable_names


def factors_of(model) -> dict[str, torch.Tensor]:
    """The factors by qualified name, read without the learner's functions."""
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] in ("lora_A", "lora_B")
    }


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
    """A model that loads the state of another one on the same base gives its output, and the factors still train."""
    seed = int(torch.randint(1000, (1,), generator=rng))
    trained_model = injected(code, torch.Generator().manual_seed(seed))
    model = Model(torch.Generator().manual_seed(seed))
    code.inject_lora(model, ["q_proj", "v_proj"], RANK, ALPHA)
    code.load_lora_state_dict(model, factors_of(trained_model))
    return {"output": model(IDS), "trainable": trainable_names(model)}


def _load_broken(code, rng, spoil) -> dict:
    """What loading a spoilt state does: the error, and whether anything was loaded."""
    model = injected(code, rng)
    before = factors_of(model)
    state = {name: tensor + 1 for name, tensor in before.items()}
    name = spoil(state)
    result = refusal(ValueError, lambda: code.load_lora_state_dict(model, state), name)
    return {
        "error": result,
        "tensors that changed": [n for n, t in factors_of(model).items() if not torch.equal(t, before[n])],
    }


LAST = "blocks.1.v_proj.lora_B"


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
    """If the state lacks a tensor, a ValueError names it and nothing is loaded."""

    def spoil(state):
        del state[LAST]
        return LAST

    return _load_broken(code, rng, spoil)


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

    def spoil(state):
        state["blocks.7.q_proj.lora_A"] = torch.zeros(RANK, 6, dtype=torch.float64)
        return "blocks.7.q_proj.lora_A"

    return _load_broken(code, rng, spoil)


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

    def one_row(state):
        state[LAST] = state[LAST][:1]
        return LAST

    def transposed(state):
        state[LAST] = state[LAST].T.contiguous()
        return LAST

    return {
        "one row instead of the matrix": _load_broken(code, rng, one_row),
        "the transposed matrix": _load_broken(code, rng, transposed),
    }
