"""The expanded weight is kept after the first call.

It saves time, but a float copy is in memory again, which four bits were to save. And after load_state_dict the layer
computes with the old weight.
"""
# Shows in: state_dict_loads_into_another_layer


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        self.cached = None

    def dequantized_weight(self):
        if self.cached is not None:
            return self.cached
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        shape = torch.Size((self.out_features, self.in_features))
        self.cached = dequantize_nf4(Quantized(self.codes, absmax, shape, torch.float32, 64))
        return self.cached
