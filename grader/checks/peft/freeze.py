"""The checks of `freeze`."""

import torch
from torch import nn

from grader.checks import check, grad_of, rand, some, whole
from grader.checks.peft.material import a_name, decoder, token_ids, trainable_names
from grader.checks.peft.parameters import GAINS, train


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
    model = decoder(rng)
    model.register_parameter(a_name(rng, GAINS), nn.Parameter(rand(rng, 3)))  # of the model itself
    ids, before = token_ids(rng, model), list(model.named_parameters())
    for _, parameter in some(rng, whole(rng, 1, 5), before):
        parameter.requires_grad_(False)
    result = code.freeze(model)
    seen = {"trainable": trainable_names(model), "output": model(ids)}
    thawed = some(rng, 3, before)
    for _, parameter in thawed:
        parameter.requires_grad_(True)
    return seen | {
        "trainable when three are thawed": trainable_names(model),
        "output when these have learned": train(model, ids),
        "output of the model that is returned": result(ids)
        if isinstance(result, nn.Module)
        else "no model is returned",
    }


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
    """A frozen model passes gradients on to its inputs, each part keeps its mode, and no parameter gets a gradient."""
    model = decoder(rng)
    for module in some(rng, 5, [part for part in model.modules() if not isinstance(part, nn.Dropout)]):
        module.training = True  # a part at a time, so that there are both modes
    code.freeze(model)
    x = rand(rng, 2, whole(rng, 3, 6), model.width).requires_grad_()
    output = model(inputs_embeds=x)
    if output.requires_grad:
        output.square().sum().backward()
    return {
        "gradient of the inputs": grad_of(x),
        "in train mode": [name for name, module in model.named_modules() if module.training],
        "gradients are on": torch.is_grad_enabled(),
        "parameters with a gradient": [name for name, p in model.named_parameters() if p.grad is not None],
    }
