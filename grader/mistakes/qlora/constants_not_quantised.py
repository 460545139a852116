"""The constants of the blocks stay in float32.

Without double quantisation a weight takes 4.5 bits instead of 4.127. Put absmax through double_quantize, and expand
it first.
"""
# Shows in: weight_comes_back_in_float32


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        quantized = quantize_nf4(linear.weight, block_size=64)
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("absmax", quantized.absmax)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def forward(self, x):
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.dequantized_weight().to(x.dtype), bias)

    def dequantized_weight(self):
        shape = torch.Size((self.out_features, self.in_features))
        return dequantize_nf4(Quantized(self.codes, self.absmax, shape, torch.float32, 64))
