"""The checks of `adapter_state_dict`."""

from grader.checks import check
from grader.checks.peft.material import Causal, partly_trained


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
    """The state holds the trainable tensors by qualified name, and nothing else."""
    model = partly_trained(rng)
    state = code.adapter_state_dict(model)
    return {
        "names": sorted(state),
        "tensors": {name: state[name] for name in sorted(state)},
        "names when nothing trains": sorted(code.adapter_state_dict(Causal(rng).requires_grad_(False))),
    }
