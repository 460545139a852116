"""IA3 scales the rows of the weight in forward, and builds the merged layer from a state dict."""


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError("base must be nn.Linear")
        self.inner = base
        self.inner.weight.requires_grad = False
        if self.inner.bias is not None:
            self.inner.bias.requires_grad = False
        self.ia3 = nn.Parameter(torch.ones(base.out_features))  # float32, whatever the base is

    def _scaled(self):
        weight = torch.diag(self.ia3.to(self.inner.weight.dtype)) @ self.inner.weight
        return weight, None if self.inner.bias is None else (self.inner.bias * self.ia3).to(weight.dtype)

    def forward(self, x):
        return F.linear(x, *self._scaled())

    def merge(self):
        weight, bias = self._scaled()
        layer = nn.Linear(*reversed(weight.shape), bias=bias is not None, dtype=weight.dtype)
        layer.weight.data = weight.detach().clone()
        if bias is not None:
            layer.bias.data = bias.detach().clone().to(weight.dtype)
        return layer
