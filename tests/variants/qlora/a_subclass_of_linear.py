"""NF4Linear is a subclass of nn.Linear without a weight, as in bitsandbytes."""


class NF4Linear(nn.Linear):
    def __init__(self, linear):
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"linear must be an nn.Linear, got {type(linear).__name__}")
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
        quantized = quantize_nf4(linear.weight)
        absmax = double_quantize(quantized.absmax)
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("absmax", absmax.codes)
        self.register_buffer("constants", torch.cat([absmax.mean.view(1), absmax.scales]))

    def dequantized_weight(self):
        absmax = double_dequantize(DoubleQuantized(self.absmax, self.constants[1:], self.constants[0], 256))
        return dequantize_nf4(
            Quantized(self.codes, absmax, torch.Size([self.out_features, self.in_features]), torch.float32, 64)
        )

    def forward(self, x):
        y = torch.einsum("...i,oi->...o", x, self.dequantized_weight().to(x.dtype))
        return y if self.bias is None else y + self.bias.to(x.dtype)


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError(f"skip must be a list of names, got {skip!r}")
    held = [id(p) for module in model.modules() for p in module._parameters.values() if p is not None]
    bases = [module.base for module in model.modules() if isinstance(module, LoRALinear)]
    new, before = {}, _bytes(model)
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if (
            not name
            or name.split(".")[-1] in skip
            or not isinstance(module, nn.Linear)
            or isinstance(module, NF4Linear)
        ):
            continue
        if held.count(id(module.weight)) == 1 and not any(module is base for base in bases):
            new.setdefault(module, (name, NF4Linear(module)))
            model.set_submodule(name, new[module][1])
    if not new:
        raise ValueError(f"model {type(model).__name__} has no layer to quantise besides {skip}")
    return {"layers": [name for name, _ in new.values()], "bytes_before": before, "bytes_after": _bytes(model)}
