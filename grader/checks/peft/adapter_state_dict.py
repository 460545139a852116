"""The checks of `adapter_state_dict`."""

from torch import nn

from grader.checks import check
from grader.checks.peft.material import decoder, token_ids, trainable_names
from grader.checks.peft.parameters import in_mixed_precision, train, tuned


@check(
    "adapter_state_dict",
    2,
    (
        "What must be saved so that another machine with the same base can go on?",
        "The trainable tensors alone, under their qualified names.",
        "{name: p for name, p in model.named_parameters() if p.requires_grad}",
    ),
)
def saves_what_trains(code, rng):
    """The state holds the trainable tensors by qualified name, as they are now and in their own dtype, and nothing else."""
    model = tuned(rng)
    train(model, token_ids(rng, model))
    mixed = in_mixed_precision(tuned(rng))
    return {
        "after a step of training": _saved(code, model),
        "dtypes of several kinds": _saved(code, mixed),
        "nothing trains": _saved(code, decoder(rng).requires_grad_(False)),
    }


def _saved(code, model: nn.Module) -> dict:
    """The state in the order of the names, for its own order is free; and what trains afterwards."""
    state = code.adapter_state_dict(model)
    return {
        "names": sorted(state),
        "tensors": {name: state[name] for name in sorted(state)},
        "trainable afterwards": trainable_names(model),
    }
