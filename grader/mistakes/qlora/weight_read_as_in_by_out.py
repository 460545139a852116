"""The codes are read as a matrix of in × out numbers and transposed.

nn.Linear stores its weight as (out_features, in_features), row by row, and so were the codes made. On a square layer
the mistake raises no error.
"""
# Shows in: weight_comes_back_in_float32


class NF4Linear(NF4Linear):
    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        shape = torch.Size((self.in_features, self.out_features))
        return dequantize_nf4(Quantized(self.codes, absmax, shape, torch.float32, 64)).T
