"""dequantized_weight() is in bfloat16.

bfloat16 is the usual dtype of the product, but forward converts to that of x. The weight itself is expanded in
float32.
"""
# Shows in: weight_comes_back_in_float32


class NF4Linear(NF4Linear):
    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.codes, absmax, shape, torch.bfloat16, 64))
