"""NF4Linear keeps its codes unpacked, one a byte.

It makes the lookup simpler and the layer twice as large. Keep the packed codes, and take them apart in forward.
"""
# Shows in: holds_four_bits_a_number


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        self.codes = torch.stack([self.codes >> 4, self.codes & 15], dim=1).flatten()

    def dequantized_weight(self):
        codes = self.codes[0::2] << 4 | self.codes[1::2]
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256))
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(codes, absmax, shape, torch.float32, 64))
