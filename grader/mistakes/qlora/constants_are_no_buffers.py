"""Only the codes are a buffer. The constants are plain attributes.

A checkpoint then holds codes that nobody can expand, and .to(device) leaves the constants behind. Register all of
them as buffers.
"""
# Shows in: state_dict_loads_into_another_layer


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        for name in ("absmax_codes", "absmax_scales", "absmax_mean"):
            tensor = getattr(self, name)
            delattr(self, name)
            setattr(self, name, tensor)
