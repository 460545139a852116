"""The tensors are saved under numbers.

Numbers say nothing of the place, and load_adapter cannot tell whether the state fits. Use the qualified
names.
"""


def adapter_state_dict(model):
    return {str(i): p.detach() for i, p in enumerate(p for p in model.parameters() if p.requires_grad)}
