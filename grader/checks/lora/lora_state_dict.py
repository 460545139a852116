"""The checks of `lora_state_dict`."""

from grader.checks import check
from grader.checks.lora.network import injected


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
    """The state holds lora_A and lora_B of every wrapped layer by qualified name, and nothing else, whatever trains. The
    tensors are those of the model, in its dtype."""
    model, *_ = injected(code, rng)
    getattr(model, model.names[-1]).requires_grad_(True)  # the head is trained along, but is no part of the adapter
    state = code.lora_state_dict(model)
    other, *_ = injected(code, rng)
    frozen = code.lora_state_dict(other.bfloat16().requires_grad_(False))  # as for use
    return {
        "names": sorted(state),
        "tensors": {name: state[name] for name in sorted(state)},
        "names when nothing is trainable": sorted(frozen),
        "tensors of a model in bfloat16": {name: frozen[name] for name in sorted(frozen)},
    }
