"""The scales and the mean of the constants are plain attributes.

The codes of the weight and of its constants are in the state dict, but what they are multiplied with is not. All that
forward needs is a buffer.
"""
# Shows in: state_dict_loads_into_another_layer


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        for name in ("absmax_scales", "absmax_mean"):
            tensor = getattr(self, name)
            delattr(self, name)
            setattr(self, name, tensor)
