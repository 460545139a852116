"""merge() is added afterwards, and returns a subclass of nn.Linear."""


class Merged(nn.Linear):
    pass


def merge(self):
    merged = Merged(self.base.in_features, self.base.out_features, bias=self.base.bias is not None, dtype=torch.float32)
    merged.weight.data = (self.base.dequantized_weight() + self.delta_weight()).detach()
    if merged.bias is not None:
        merged.bias.data = self.base.bias.detach().to(torch.float32, copy=True)
    return merged.eval()


QLoRALinear.merge = merge
