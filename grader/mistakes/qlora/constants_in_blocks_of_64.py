"""NF4Linear quantises the constants in blocks of 64.

64 is the block size of the weight. The constants come in blocks of 256, so that a scale costs 32 / (64 · 256) bits
for each weight.
"""
# Shows in: holds_four_bits_a_number


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        super().__init__(linear)
        absmax = double_quantize(quantize_nf4(linear.weight, block_size=64).absmax, block_size=64)
        self.absmax_codes, self.absmax_scales, self.absmax_mean = absmax.codes, absmax.scales, absmax.mean

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 64))
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.codes, absmax, shape, torch.float32, 64))
