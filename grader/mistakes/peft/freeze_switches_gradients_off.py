"""Gradients are switched off altogether.

Then nothing learns any more, the adapters neither. A frozen model still passes gradients on to what was added
to it.
"""
# Shows in: gradients_still_pass_through

right_freeze = freeze


def freeze(model):
    torch.set_grad_enabled(False)
    return right_freeze(model)
