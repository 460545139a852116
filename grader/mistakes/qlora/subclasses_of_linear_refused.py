"""Subclasses of nn.Linear are refused.

type(linear) is nn.Linear asks for the very class. A subclass is an nn.Linear as well: use isinstance.
"""
# Shows in: refuses_another_base


class NF4Linear(NF4Linear):
    def __init__(self, linear):
        nn.Module.__init__(self)
        if type(linear) is not nn.Linear:
            raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        quantized = quantize_nf4(linear.weight, block_size=64)
        absmax = double_quantize(quantized.absmax, block_size=256)
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("absmax_codes", absmax.codes)
        self.register_buffer("absmax_scales", absmax.scales)
        self.register_buffer("absmax_mean", absmax.mean)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
