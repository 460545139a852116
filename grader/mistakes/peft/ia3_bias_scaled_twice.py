"""The bias is multiplied by ia3 twice in forward.

base(x) has the bias in it already. Multiply the whole once.
"""
# Shows in: output_is_rescaled


class IA3Linear(IA3Linear):
    def forward(self, x):
        bias = None if self.base.bias is None else self.base.bias * self.ia3
        return F.linear(x, self.base.weight, bias) * self.ia3
