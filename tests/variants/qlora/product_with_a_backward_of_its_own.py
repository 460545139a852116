"""The product is an autograd function that expands the weight anew in backward. Codes and constants lie in a module inside."""


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        return x @ layer.dequantized_weight().to(x.dtype).T

    @staticmethod
    def backward(ctx, gradient):
        return gradient @ ctx.layer.dequantized_weight().to(gradient.dtype), None


class Store(nn.Module):
    def __init__(self, **tensors):
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)


class NF4Linear(nn.Module):
    def __init__(self, linear):
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")
        super().__init__()
        quantized = quantize_nf4(linear.weight.data)
        absmax = double_quantize(quantized.absmax)
        self.store = Store(weight=quantized.codes, codes=absmax.codes, scales=absmax.scales, mean=absmax.mean)
        self.register_buffer("levels", nf4_levels(), persistent=False)
        self.out_features, self.in_features = linear.weight.shape
        self.register_parameter("bias", None)
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.data.clone(), requires_grad=False)

    @property
    def codes(self):  # QLoRALinear asks for its device
        return self.store.weight

    def dequantized_weight(self):
        held = self.store
        absmax = double_dequantize(DoubleQuantized(held.codes, held.scales, held.mean, 256))
        shape = torch.Size([self.out_features, self.in_features])
        return dequantize_nf4(Quantized(held.weight, absmax, shape, torch.float32, 64))

    def forward(self, x):
        y = Product.apply(x, self)
        return y if self.bias is None else y + self.bias.to(y.dtype)
