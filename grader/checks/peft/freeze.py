"""The checks of `freeze`."""

import torch

from grader.checks import check, grad_of, rand
from grader.checks.peft.material import WIDTH, Causal, moved, snapshot, trainable_names


@check(
    "freeze",
    1,
    (
        "Which attribute of a parameter tells autograd to make a gradient for it?",
        "Set requires_grad to False on every parameter, and give the model back.",
        "model.requires_grad_(False) does it for all parameters and returns the model.",
    ),
)
def nothing_requires_a_gradient(code, rng):
    """After freeze no parameter requires a gradient, none has changed, and the model itself is returned."""
    model = Causal(rng)
    model.head.requires_grad_(False)
    before = snapshot(model)
    result = code.freeze(model)
    return {"trainable": trainable_names(model), "returns the model": result is model, "moved": moved(before)}


@check(
    "freeze",
    1,
    (
        "Freezing is not the same as switching gradients off.",
        "Gradients must still pass through a frozen model to what was added to it. eval() and no_grad() are other things.",
        "Only requires_grad changes: no eval(), no no_grad(), no detach.",
    ),
)
def gradients_still_pass_through(code, rng):
    """A frozen model passes gradients on to its inputs, keeps its mode, and gets no gradients itself."""
    model = Causal(rng).train()
    code.freeze(model)
    x = rand(rng, 2, 5, WIDTH).requires_grad_()
    model(inputs_embeds=x).square().sum().backward()
    return {
        "gradient of the inputs": grad_of(x),
        "train mode": model.training,
        "gradients are on": torch.is_grad_enabled(),
        "parameters with a gradient": [name for name, p in model.named_parameters() if p.grad is not None],
    }
