"""The base runs under no_grad, because it is frozen.

Frozen means that its weight gets no gradient. The gradient with respect to its input must still pass, or the
layers before learn from the low-rank path alone.
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        with torch.no_grad():
            fixed = self.base(x)
        if self.merged:
            return fixed
        return fixed + self.scaling * F.linear(F.linear(self.dropout(x), self.lora_A), self.lora_B)
