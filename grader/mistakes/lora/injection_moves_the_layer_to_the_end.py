"""The old layer is deleted and the new one added, so it becomes the last of its parent.

In an nn.Sequential the order of the children is the order of the computation. setattr on the name that is there keeps the place.
"""
# Shows in: wraps_the_targets

_right_replace = _replace


def _replace(model, name, new):
    parent, _, attribute = name.rpartition(".")
    if isinstance(new, LoRALinear):
        delattr(model.get_submodule(parent), attribute)
        model.get_submodule(parent).add_module(attribute, new)
    else:
        _right_replace(model, name, new)
