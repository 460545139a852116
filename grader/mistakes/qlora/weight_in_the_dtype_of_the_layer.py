"""The weight is expanded in the dtype of the old layer, then converted.

For a layer in bfloat16 the product of level and absmax is rounded to three digits first. dequantized_weight() is in
float32 throughout.
"""
# Shows in: half_precision_layers_expand_to_float32


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        self.dtype = linear.weight.dtype

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.codes, absmax, shape, self.dtype, 64)).float()
