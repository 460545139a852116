"""load_state_dict(strict=False) is all there is.

It says nothing of missing and unexpected tensors, takes frozen ones and buffers, and a misshapen tensor is a RuntimeError after others were
copied. Compare names and shapes yourself.
"""


def load_adapter(model, state):
    model.load_state_dict(state, strict=False)
