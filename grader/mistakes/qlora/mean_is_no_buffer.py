"""The mean of the constants is kept as a Python number.

It is missing in the state dict, so a loaded layer adds the mean of another weight. Register it as a buffer, as all
that forward needs.
"""
# Shows in: state_dict_loads_into_another_layer


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        mean = self.absmax_mean.item()
        del self.absmax_mean
        self.absmax_mean = mean
