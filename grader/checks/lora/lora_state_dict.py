"""The checks of `lora_state_dict`."""

from grader.checks import check
from grader.checks.lora.material import injected


@check(
    "lora_state_dict",
    1,
    (
        "What must be saved so that another machine with the same base can go on?",
        "The factors alone, under their qualified names. No base weight.",
        "{name: p for name, p in model.named_parameters() if name.endswith(('lora_A', 'lora_B'))}",
    ),
)
def saves_the_factors_alone(code, rng):
    """The state holds lora_A and lora_B of every wrapped layer by qualified name, and nothing else, whatever trains."""
    model = injected(code, rng)
    model.head.requires_grad_(True)  # trained along, but no part of the adapter
    state = code.lora_state_dict(model)
    frozen = code.lora_state_dict(model.requires_grad_(False))  # as for use
    return {
        "names": sorted(state),
        "names when nothing is trainable": sorted(frozen),
        "tensors": {name: state[name] for name in sorted(state)},
    }
